"""The sandbox is the platform for any client: here for one in sh, and for the vendor's C# SDK."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from contactsdk.sandbox import FieldType, Sandbox
from tests.sandbox.asking import (
    ADD,
    FIELDS,
    GET,
    GROUPS,
    JOIN,
    LIST,
    PING,
    PROGRESS,
    RESULTS,
    RUN,
    Asking,
    batch_of,
    signed,
)
from tests.sandbox.made import BOBBY

CLIENT = Path(__file__).with_name("client.sh")


class Shell:
    """Asks a sandbox by a client in sh, curl and openssl."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._environment = {
            **os.environ,
            "CONTACTSDK_URL": sandbox.url,
            "CONTACTSDK_KEY": sandbox.key,
            "CONTACTSDK_SECRET": sandbox.secret,
        }

    async def __call__(self, action: str, params: Any = None) -> Any:
        namespace, _, name = action.partition("?action=")
        process = await asyncio.create_subprocess_exec(
            "sh",
            str(CLIENT),
            namespace,
            name,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(b"" if params is None else orjson.dumps(params))
        assert (process.returncode, err) == (0, b"")
        return orjson.loads(out)


@pytest.fixture
async def declared() -> AsyncIterator[Sandbox]:
    fields = {5: FieldType.DATE}
    async with Sandbox(groups={10: "News", 11: "Offers"}, custom_fields=fields) as sandbox:
        yield sandbox


@pytest.fixture
def shell(declared: Sandbox) -> Shell:
    return Shell(declared)


async def test_client_in_sh_pings(shell: Shell) -> None:
    assert list(await shell(PING)) == ["ack"]


async def test_client_in_sh_adds_updates_and_finds_a_contact(shell: Shell) -> None:
    custom = [{"fieldId": 5, "value": "1990-02-28"}]
    added = await shell(ADD, {**BOBBY, "externalId": "żółć", "customFields": custom})
    assert added == {"success": True, "id": 1001}
    await shell(ADD, {"id": 1001, "phone": "123"})
    found = await shell(LIST, {"filter": {"externalId": "żółć"}, "perPage": 20, "start": 0})
    assert [(it["id"], it["phone"]) for it in found["results"]] == [(1001, "123")]
    assert (await shell(GET, {"id": 1001}))["customFields"][0]["value"] == "1990-02-28"


async def test_client_in_sh_sees_what_was_declared_and_joins_a_group(shell: Shell) -> None:
    await shell(ADD, {**BOBBY, "groups": [{"groupId": 10}]})
    joined = await shell(JOIN, {"contacts": [1001, 1002], "group": 11})
    assert [it["status"] for it in joined] == [True, False]
    assert [it["memberCount"] for it in await shell(GROUPS)] == [1, 1]
    assert [it["fieldType"] for it in await shell(FIELDS)] == [5]


async def test_client_in_sh_runs_a_batch(shell: Shell) -> None:
    async_id = (await shell(RUN, batch_of(BOBBY, {**BOBBY, "email": "no"})))["asyncId"]
    assert await shell(PROGRESS, {"async": async_id}) == {"progress": 100}
    results = (await shell(RESULTS, {"async": async_id}))["results"]
    assert [it["response"].get("specificCode") for it in results] == [None, 23016]


async def test_client_in_sh_with_a_wrong_secret_is_refused(declared: Sandbox, shell: Shell) -> None:
    declared.secret = "another"
    assert (await shell(PING))["errorCode"] == 401


async def test_what_the_csharp_sdk_sends_is_served(declared: Sandbox) -> None:
    """No X-Api-Version, a charset, an id of digits, isAnonymised always, a type of each field."""
    fields = [{"fieldId": 5, "fieldType": 5, "value": "1990-02-28"}]
    async with aiohttp.ClientSession() as session:
        ask = Asking(session, declared)
        await ask(ADD, BOBBY)
        body = orjson.dumps({"id": "1001", "isAnonymised": False, "customFields": fields})
        content_type = "application/json; charset=utf-8"
        headers = signed(declared, f"/api/1.0/{ADD}", body, content_type=content_type)
        del headers["X-Api-Version"]
        answer = await ask(ADD, body, headers=headers)
    assert answer.json == {"success": True, "id": 1001}
    assert declared.contacts[1001]["customFields"] == [{"fieldId": 5, "value": "1990-02-28"}]
