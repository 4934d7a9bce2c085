"""Workers in processes of their own, which are killed, paused and cut off from their database."""

import asyncio
from collections import Counter

from contactsdk import ContactClient, Credentials
from contactsdk.distributed import SubmittedRun
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.sandbox import Sandbox
from tests.background import sandbox_in_thread
from tests.distributed.chaos import disturbed, until
from tests.distributed.machine import Machine, options_for
from tests.distributed.samples import contacts
from tests.postgres.servers import Server


def test_workers_that_are_killed_and_paused_double_nothing(database_url: str, schema: str) -> None:
    found = disturbed(database_url, schema, seed=1, workers=2, kills=1, pauses=2, each=30)
    assert found.problems == []


def test_workers_go_on_when_their_database_has_crashed(server: Server, schema: str) -> None:
    with sandbox_in_thread(latency_s=0.02) as sandbox:
        run = asyncio.run(submitted(sandbox, PostgresJournal(server.url, run="run", schema=schema)))
        machines = [Machine(options_for(sandbox, server.url, schema)) for _ in range(2)]
        try:
            until("requests", lambda: len(sandbox.ledger.writes) > 50)
            with server.away():
                pass
            progress = asyncio.run(asyncio.wait_for(run.wait(), 120))
        finally:
            for machine in machines:
                machine.close()
        writes = Counter(write.body["email"] for write in sandbox.ledger.writes)
    assert progress.is_done
    assert progress.succeeded + progress.uncertain == 400
    assert progress.uncertain <= len(machines) * 4
    assert max(writes.values()) == 1


async def submitted(sandbox: Sandbox, journal: PostgresJournal) -> SubmittedRun:
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, timeout_s=1.0) as client:
        return await client.submit(contacts(400), journal=journal, partitions=4)
