"""Tables of an older version become those of this one, with all that is in them."""

from typing import Any

import psycopg
import pytest
from psycopg import sql

from contactsdk import ContactClient, JournalError, State
from contactsdk.journal.postgres import PostgresJournal, make_tables
from contactsdk.journal.postgres_schema import MIGRATIONS
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.bulk.held import many


@pytest.fixture
def first_version(database_url: str, schema: str) -> Any:
    """The tables of version 1, with a run that another process is sending."""
    with psycopg.connect(database_url, autocommit=True) as connection:

        def execute(query: str) -> psycopg.Cursor[Any]:
            name = sql.Identifier(schema)
            return connection.execute(sql.SQL(query).format(schema=name))

        execute("CREATE SCHEMA {schema}")
        execute("CREATE TABLE {schema}.version (number integer NOT NULL)")
        execute("INSERT INTO {schema}.version VALUES (1)")
        execute(MIGRATIONS[0])
        execute("INSERT INTO {schema}.run (name, account, salt) VALUES ('run', 'a', 's')")
        execute(
            "INSERT INTO {schema}.lease (run, epoch, owner, recorded, succeeded) "
            "VALUES (1, 3, 'another', 4, 2)"
        )
        for number, (state, id_) in enumerate(
            [("succeeded", "7"), ("succeeded", "9"), ("not applied", "NULL"), ("sent", "NULL")]
        ):
            execute(
                "INSERT INTO {schema}.row "
                "(run, number, digest, state, id, attempts, settled, id_floor, epoch) "
                f"VALUES (1, {number}, 'd', '{state}', {id_}, 1, false, 0, 3)"
            )
        yield execute


def test_run_of_version_1_is_read_as_before(
    first_version: Any, database_url: str, schema: str, journal: PostgresJournal
) -> None:
    with pytest.raises(JournalError, match=r"version 1, .* `contactsdk journal init URL`"):
        journal.status()
    with pytest.raises(JournalError, match="version 1"):
        journal.exists()

    make_tables(database_url, schema=schema)

    status = journal.status()
    assert (status.recorded, status.succeeded, status.open) == (4, 2, 2)
    assert not status.is_submitted
    assert [row.state for row in journal.rows()] == [
        State.SUCCEEDED, State.SUCCEEDED, State.NOT_APPLIED, State.SENT,
    ]  # fmt: skip
    counts = first_version("SELECT not_applied, highest_id FROM {schema}.lease")
    assert counts.fetchall() == [(1, 9)]


async def test_next_run_brings_the_tables_up_to_date(
    first_version: Any, sandbox: Sandbox, client: ContactClient, journal_of: Any
) -> None:
    sandbox.script(None, Fault(FaultKind.CLOSE_AFTER_WRITE))

    await client.add_or_update_many(many(3), journal=journal_of("new"), concurrency=1)

    status = journal_of("new").status()
    assert (status.succeeded, status.uncertain) == (2, 1)
    assert first_version("SELECT number FROM {schema}.version").fetchall() == [(2,)]
