"""Runs that are submitted, and slices of them, for the tests of distributed runs."""

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from attrs import frozen
from psycopg import sql

from contactsdk import Contact, ContactClient, Outcome
from contactsdk.distributed import Partition, SubmittedRun
from contactsdk.journal.postgres import PostgresJournal

Journals = Callable[..., PostgresJournal]


def many(count: int, **changes: Any) -> list[Contact]:
    """Contacts to add that differ by their number, which each has as its external id."""
    return [
        Contact(
            **{
                "first_name": "Ada",
                "last_name": "Archer",
                "email": f"n{number}@example.com",
                "external_id": str(number),
                **changes,
            }
        )
        for number in range(count)
    ]


async def send_part(
    client: ContactClient, run: SubmittedRun, part: int = 0, **options: Any
) -> list[Outcome]:
    """Send what is open of a partition."""
    partition = Partition(run.journal, part)
    settings = await run.settings()
    bulk_options: Any = {**settings.bulk_options, **options}
    async with client.stream(partition, journal=partition, **bulk_options) as outcomes:
        return [outcome async for outcome in outcomes]


@frozen
class Tables:
    """The tables of a test, looked at and changed beside those who use them."""

    url: str
    schema: str

    def execute(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a statement finds; {run}, {lease}, {row} and so on are the tables in it."""
        names = ("run", "lease", "lease_end", "row", "turn", "version")
        tables = {name: sql.Identifier(self.schema, name) for name in names}
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(query).format(**tables), values)
            return cursor.fetchall() if cursor.description else []

    def let_the_leases_end(self) -> None:
        """As if their owners had died a moment longer ago than they last."""
        self.execute(
            "UPDATE {lease} SET until = clock_timestamp() - interval '1 ms' "
            "WHERE until > clock_timestamp()"
        )


def numbers(outcomes: Sequence[Outcome]) -> list[int]:
    """The external ids of these contacts, in order."""
    contacts = [outcome.contact for outcome in outcomes]
    return sorted(int(contact.external_id or -1) for contact in contacts if contact is not None)
