"""A process that sends a run with a PostgresJournal, for tests that stop and kill it.

    python tests/postgres/sender.py OPTIONS

OPTIONS are those of `Options` as JSON. Printed is a line of JSON for each outcome: its number, the
platform's id or null, and the name of its error's class or null. The exit code is 3 where another
process took the run over.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

from attrs import asdict, frozen

from contactsdk import Contact, ContactClient, Credentials, JournalError, RetryPolicy
from contactsdk.journal import JournalRun
from contactsdk.journal.postgres import PostgresJournal

TAKEN_OVER = 3


@frozen(kw_only=True)
class Options:
    """What the process is to do."""

    platform_url: str
    key: str
    secret: str
    database_url: str
    schema: str
    count: int
    concurrency: int
    lease_s: float
    stop_after_intent: int | None = None
    """Stop the process when so many intents are durable, before the bytes of the last leave."""
    has_gate: bool = True
    """Whether the local deadline is looked at before bytes leave."""

    def command(self) -> list[str]:
        return [sys.executable, __file__, json.dumps(asdict(self))]


def contact(number: int) -> Contact:
    """A new contact; every second one may be sent again safely."""
    return Contact(
        first_name="Ada",
        last_name="Lovelace",
        email=f"n{number}@example.com",
        external_id=str(number),
        update_if_exists=True if number % 2 else None,
    )


def contacts(count: int) -> Iterator[Contact]:
    return (contact(number) for number in range(count))


async def send(options: Options) -> None:
    journal = PostgresJournal(
        options.database_url,
        run="run",
        schema=options.schema,
        lease_s=options.lease_s,
        standby=True,
    )
    async with ContactClient(
        options.platform_url,
        Credentials(options.key, options.secret),
        retry=RetryPolicy(base_s=0.001, max_wait_s=0.01),
        timeout_s=5.0,
    ) as client:
        items = contacts(options.count)
        async with client.stream(
            items, journal=journal, concurrency=options.concurrency
        ) as outcomes:
            async for outcome in outcomes:
                kind = None if outcome.error is None else type(outcome.error).__name__
                print(json.dumps([outcome.index, outcome.id, kind]), flush=True)


def stop_after_intent(count: int) -> None:
    """Have this process stop itself once so many intents are durable."""
    record_intent = JournalRun.record_intent
    recorded = 0

    async def record_and_stop(
        run: JournalRun, number: int, contact: Contact, **options: Any
    ) -> None:
        nonlocal recorded
        await record_intent(run, number, contact, **options)
        recorded += 1
        if recorded == count:
            os.kill(os.getpid(), signal.SIGSTOP)

    JournalRun.record_intent = record_and_stop  # type: ignore[assignment, method-assign]


def main() -> None:
    options = Options(**json.loads(sys.argv[1]))
    if options.stop_after_intent is not None:
        stop_after_intent(options.stop_after_intent)
    if not options.has_gate:
        JournalRun.check_may_send = lambda self: None  # type: ignore[method-assign]
    try:
        asyncio.run(send(options))
    except JournalError as error:
        print(error, file=sys.stderr)
        sys.exit(TAKEN_OVER)


if __name__ == "__main__":
    main()
