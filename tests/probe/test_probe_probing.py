"""Probes of accounts that do not let one look at everything."""

import pytest

from contactsdk.probe import Probe
from contactsdk.probe.reading import see_clocks, see_errors
from contactsdk.probe.writing import add, see_batch, see_update_if_exists
from contactsdk.sandbox import Fault, FaultKind
from tests.probe.probed import HeldTime, a_sandbox, otherwise, probed, seen

LIST = "contact?action=getContactList"
GET = "contact?action=getContact"
GROUPS = "contact?action=getSubscriptionGroupList"
FIELDS = "contact?action=getCustomFieldDefinition"
ADD = "contact?action=addOrUpdateContact"
RUN = "batch?action=run"
RESULTS = "batch?action=results"
PING = "test?action=ping"


async def test_what_the_key_may_not_do_is_seen_and_the_rest_goes_on() -> None:
    held = HeldTime()
    denied = {LIST: 403, GROUPS: 401, FIELDS: 403, RUN: 403}
    async with a_sandbox(held, denied=denied) as sandbox:
        made, why = await probed(sandbox, held)

    assert why is None
    found = seen(made)
    assert found["groups"] == "no (401/none)"
    assert found["fields"] == "no (403/none)"
    assert found["list_lag"] == "lists are refused (403/none)"
    assert found["batch"] == "no (403/none)"
    assert found["update"] == "yes"
    assert otherwise(made.findings()) == {"groups", "fields", "list_lag", "batch"}
    assert found["empty_groups"] is None
    assert found["custom_fields"] is None


@pytest.mark.parametrize(
    ("denied", "what"),
    [
        (PING, "refuses a ping (403/none)"),
        (ADD, "does not add a contact (403/none)"),
        (GET, "cannot be read (403/none)"),
    ],
)
async def test_probe_ends_early_where_nothing_else_would_work(denied: str, what: str) -> None:
    held = HeldTime()
    async with a_sandbox(held, denied={denied: 403}) as sandbox:
        made, why = await probed(sandbox, held)

    assert why is not None
    assert what in why
    assert seen(made)["batch"] is None


async def test_platform_that_does_not_answer_ends_the_probe() -> None:
    held = HeldTime()
    async with a_sandbox(held) as sandbox:
        sandbox.script(Fault(FaultKind.CLOSE_BEFORE_READ), action=LIST)
        made, why = await probed(sandbox, held)

    assert why is not None
    assert seen(made)["written_id"] == "number"
    assert seen(made)["list_lag"] is None


async def test_no_more_than_sixty_requests_are_made() -> None:
    held = HeldTime()
    async with a_sandbox(held) as sandbox:
        _, why = await probed(sandbox, held, steps=[see_errors] * 100)

        assert why == "60 requests were made, and a probe makes no more"
        assert len(sandbox.ledger.requests) == 60


async def test_throttle_that_does_not_end_is_not_an_answer() -> None:
    held = HeldTime()
    async with a_sandbox(held) as sandbox:
        sandbox.script(*[Fault(FaultKind.THROTTLED)] * 3, action=RUN)
        made, why = await probed(sandbox, held)

    assert why is None
    assert seen(made)["batch"] == "no (429/none)"


async def test_batch_without_results_is_seen() -> None:
    held = HeldTime()
    async with a_sandbox(held, batch_rate_per_s=0.001) as sandbox:
        made, _ = await probed(sandbox, held, steps=[add, see_batch])

    assert seen(made)["batch"] == "yes, without results (400/24114)"


async def test_page_that_is_not_json_is_not_taken_for_an_error_of_the_platform() -> None:
    held = HeldTime()
    async with a_sandbox(held) as sandbox:
        sandbox.script(Fault(FaultKind.HTML), action=GET)
        made, _ = await probed(sandbox, held, steps=[see_errors])

    assert seen(made)["unknown_contact"] == "502/none"
    assert seen(made)["error_status"] is None


@pytest.mark.parametrize("fault", [FaultKind.CLOCK_OFF, FaultKind.HTML])
async def test_wrong_date_that_does_not_put_the_clock_right_is_seen(fault: FaultKind) -> None:
    held = HeldTime()
    async with a_sandbox(held) as sandbox:
        # The second answer to a wrong date, by which the SDK would learn the time.
        sandbox.script(None, None, Fault(fault, clock_off_s=86400.0), action=PING)
        made, _ = await probed(sandbox, held, steps=[see_clocks])

    assert otherwise(made.findings()) == {"stale_date_healed"}


async def test_contact_that_another_one_has_overtaken_by_name_is_no_longer_found() -> None:
    held = HeldTime()
    async with a_sandbox(held) as sandbox:
        made, _ = await probed(sandbox, held, steps=[add, rename, see_update_if_exists])

    assert seen(made)["update_if_exists"] == "no, it adds another"


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (Fault(FaultKind.THROTTLED), "429, no Retry-After"),
        (Fault(FaultKind.THROTTLED, retry_after_s=2), "429, Retry-After in seconds"),
        (
            Fault(FaultKind.THROTTLED, retry_after_s=2, retry_after_as_date=True),
            "429, Retry-After as a date",
        ),
    ],
)
async def test_throttle_is_waited_out_and_seen(fault: Fault, what: str) -> None:
    held = HeldTime()
    async with a_sandbox(held) as sandbox:
        sandbox.script(fault, action=LIST)
        made, why = await probed(sandbox, held)

    assert why is None
    assert seen(made)["throttled"] == what
    assert otherwise(made.findings()) <= {"throttled"}


@pytest.mark.parametrize(
    ("lag_s", "what", "detail"),
    [
        (0.0, "within 10 s", "at once"),
        (3.0, "within 10 s", "after 3.5 s"),
        (100.0, "not within 10 s", ""),
    ],
)
async def test_lists_that_lag_are_waited_for(lag_s: float, what: str, detail: str) -> None:
    held = HeldTime()
    async with a_sandbox(held, list_lag_s=lag_s) as sandbox:
        made, why = await probed(sandbox, held)

    assert why is None
    [lag] = [it for it in made.findings() if it.assumption.name == "list_lag"]
    assert (lag.seen, lag.detail) == (what, detail)


async def test_clocks_that_are_far_apart_are_seen() -> None:
    held = HeldTime()
    async with a_sandbox(held, clock=lambda: held.now() - 1200) as sandbox:
        made, why = await probed(sandbox, held)

    assert why is None
    assert seen(made)["clock"] == "20 minutes"
    assert otherwise(made.findings()) == {"clock"}


async def rename(probe: Probe) -> None:
    """Gives the contact another name, as somebody else might."""
    await probe.update(firstName="Another")


async def test_unknown_group_that_is_taken_is_seen() -> None:
    held = HeldTime()
    async with a_sandbox(held, groups=None) as sandbox:
        made, _ = await probed(sandbox, held)

    assert seen(made)["wrong_group"] == "accepted"
