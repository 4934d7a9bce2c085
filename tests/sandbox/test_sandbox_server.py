import asyncio
import socket
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
import trustme

from contactsdk import sandbox as sandbox_package
from contactsdk.sandbox import Fault, FaultKind, FieldType, JobFault, Ledger, Rival, Sandbox
from tests.sandbox.asking import (
    ADD,
    BROKEN,
    LIST,
    PROGRESS,
    RESULTS,
    RUN,
    Asking,
    batch_of,
    until,
)
from tests.sandbox.made import BOBBY, Clock


@pytest.fixture
async def ask(sandbox: Sandbox) -> AsyncIterator[Asking]:
    async with aiohttp.ClientSession() as session:
        yield Asking(session, sandbox)


def test_public_names_are_guarded() -> None:
    names = sandbox_package.__all__
    constants = ["DEFAULT_MIX", "JOB_MIX"]
    assert names == [*constants, *sorted(set(names) - set(constants))]
    assert len(names) == 19
    assert all(getattr(sandbox_package, name).__doc__ for name in names)


def test_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Platform'"):
        getattr(sandbox_package, "Platform")  # noqa: B009  # type checkers know that it is not there


async def test_declared_groups_companies_and_fields_are_all_there_are(ask: Asking) -> None:
    params = {**BOBBY, "groups": [{"groupId": 10}], "companies": [4]}
    params["customFields"] = [{"fieldId": 1, "value": "No"}]
    fields = {1: FieldType.SMALL_TEXT}
    async with Sandbox(groups=[10], companies=[4], custom_fields=fields) as declared:
        assert (await ask(ADD, params, to=declared)).status == 200
    async with Sandbox(groups=[], companies=[4], custom_fields=fields) as declared:
        assert (await ask(ADD, params, to=declared)).status == 400


async def test_restart_keeps_port_and_state(sandbox: Sandbox, ask: Asking) -> None:
    url = sandbox.url
    await ask(ADD, BOBBY)
    await sandbox.stop()
    with pytest.raises(BROKEN):
        await ask(ADD, BOBBY)
    await sandbox.start()
    await ask(ADD, BOBBY)
    assert sandbox.url == url
    assert len(sandbox.ledger.writes) == len(sandbox.contacts) == 2


async def test_stopping_twice_is_harmless_and_starting_twice_is_not(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="runs already"):
        await sandbox.start()
    await sandbox.stop()
    await sandbox.stop()


@pytest.mark.parametrize("turns", range(6))
async def test_client_that_connects_while_the_sandbox_stops_is_dropped(turns: int) -> None:
    async with Sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        client = socket.create_connection(("127.0.0.1", port))
        for _ in range(turns):
            await asyncio.sleep(0)

    with client:
        client.settimeout(5.0)
        try:
            received = client.recv(1)
        except ConnectionResetError:
            received = b""
    assert received == b""


async def test_taken_port_is_an_os_error_and_leaves_the_sandbox_startable(
    sandbox: Sandbox,
) -> None:
    other = Sandbox(port=int(sandbox.url.rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        await other.start()
    await sandbox.stop()
    async with other:
        assert other.url == sandbox.url


def test_sandbox_has_no_address_before_it_is_started() -> None:
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = Sandbox().url


async def test_clear_forgets_contacts_batches_ledger_and_script(
    sandbox: Sandbox, ask: Asking
) -> None:
    await ask(ADD, BOBBY)
    await ask(RUN, batch_of(BOBBY))
    sandbox.write_as_rival(BOBBY)
    sandbox.script(Fault(FaultKind.HTML))
    sandbox.clear()
    assert (dict(sandbox.contacts), dict(sandbox.batches), sandbox.ledger) == ({}, {}, Ledger())
    assert (await ask(LIST, {})).json["results"] == []
    assert (await ask(ADD, BOBBY)).json["id"] == 1001


async def test_sandbox_speaks_tls(ask: Asking) -> None:
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    async with Sandbox(ssl_context=server_side) as sandbox:
        assert sandbox.url.startswith("https://")
        assert (await ask(ADD, BOBBY, to=sandbox, ssl=client_side)).status == 200
        sandbox.script(Fault(FaultKind.RESET_AFTER_WRITE))
        with pytest.raises(BROKEN):
            await ask(ADD, BOBBY, to=sandbox, ssl=client_side)


async def test_lists_lag_behind_writes(ask: Asking) -> None:
    clock = Clock()
    async with Sandbox(clock=clock, list_lag_s=5) as sandbox:

        async def listed() -> int:
            total: int = (await ask(LIST, {}, to=sandbox, now=clock.now)).json["meta"][
                "totalResults"
            ]
            return total

        await ask(ADD, BOBBY, to=sandbox, now=clock.now)
        assert await listed() == 0
        clock.now += 5
        assert await listed() == 1
        sandbox.list_lag_s = 0
        await ask(ADD, BOBBY, to=sandbox, now=clock.now)
        assert await listed() == 2


async def test_lists_hide_fields_and_cap_their_pages(ask: Asking) -> None:
    async with Sandbox(hidden_in_lists=["externalId"], per_page_max=1) as sandbox:
        for _ in range(2):
            await ask(ADD, {**BOBBY, "externalId": "a"}, to=sandbox)
        answer = (await ask(LIST, {"perPage": 10}, to=sandbox)).json
    assert answer["meta"] == {"count": 1, "totalResults": 2, "start": 0, "perPage": 1}
    assert "externalId" not in answer["results"][0]


async def test_batch_is_executed_at_its_speed_while_no_results_are_asked_for(ask: Asking) -> None:
    async with Sandbox(batch_rate_per_s=1000) as sandbox:
        await ask(RUN, batch_of(*[BOBBY] * 5), to=sandbox)
        await until(lambda: len(sandbox.ledger.writes) == 5)
        [batch] = sandbox.batches.values()
        assert batch.progress == 100


async def test_batch_waits_for_the_sandboxes_clock(ask: Asking) -> None:
    clock = Clock()
    async with Sandbox(clock=clock, batch_rate_per_s=1) as sandbox:
        async_id = (await ask(RUN, batch_of(BOBBY, BOBBY), to=sandbox, now=clock.now)).json[
            "asyncId"
        ]
        clock.now += 1
        answer = await ask(PROGRESS, {"async": async_id}, to=sandbox, now=clock.now)
        assert answer.json == {"progress": 50}
        answer = await ask(RESULTS, {"async": async_id}, to=sandbox, now=clock.now)
        assert answer.json["specificCode"] == 24114


async def test_batch_goes_on_once_the_sandbox_is_started_again(ask: Asking) -> None:
    clock = Clock()
    async with Sandbox(clock=clock, batch_rate_per_s=1) as sandbox:
        await ask(RUN, batch_of(BOBBY), to=sandbox, now=clock.now)
        await sandbox.stop()
        clock.now += 10
        assert not sandbox.ledger.writes
        await sandbox.start()
        await until(lambda: sandbox.ledger.writes)


async def test_jobs_go_wrong_one_by_one(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.script_jobs(*JobFault, None)
    async_id = (await ask(RUN, batch_of(*[BOBBY] * (len(JobFault) + 1)))).json["asyncId"]
    answer = (await ask(RESULTS, {"async": async_id})).json
    responses = [result["response"] for result in answer["results"]]
    assert [response and response.get("errorCode") for response in responses] == [
        400,
        429,
        500,
        500,
        None,
        None,
    ]
    assert responses[1]["specificCode"] == 24299
    assert responses[-1]["id"] == 1003
    assert [write.job for write in sandbox.ledger.writes] == [3, 5, 6]


async def test_mix_of_jobs_breaks_its_share_of_them(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.mix_jobs(1, 1.0, [JobFault.REJECTED])
    await ask(RUN, batch_of(BOBBY, BOBBY))
    sandbox.mix_jobs(1, 0.0)
    await ask(RUN, batch_of(BOBBY))
    assert [write.request for write in sandbox.ledger.writes] == [2]


async def test_rival_adds_and_edits_beside_the_ledgers_writes(
    sandbox: Sandbox, ask: Asking
) -> None:
    await ask(ADD, BOBBY)
    assert sandbox.write_as_rival(BOBBY) == 1002
    sandbox.touch_as_rival(1001)
    assert [write.contact_id for write in sandbox.ledger.writes] == [1001]
    told = [(it.number, it.contact_id, it.added) for it in sandbox.ledger.rival_writes]
    assert told == [(1, 1002, True), (2, 1001, False)]


async def test_rivals_write_by_chance(sandbox: Sandbox, ask: Asking) -> None:
    sandbox.mix_rivals(1, 1.0, [Rival.ADDS_NAMESAKE_AFTER])
    await ask(ADD, BOBBY)
    assert len(sandbox.contacts) == 2
    sandbox.mix_rivals(1, 0.0)
    await ask(ADD, BOBBY)
    assert len(sandbox.contacts) == 3
