"""A database with the tables of journals and of the engine, and a client, for each test."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from contactsdk import ContactClient, Credentials, RetryPolicy
from contactsdk.distributed.engine import make_engine_tables
from contactsdk.journal.postgres import PostgresJournal, make_tables
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.sandbox import Sandbox
from tests.distributed.fixtures import Tables

QUICK = RetryPolicy(attempts=3, base_s=0.001, max_wait_s=0.002, deadline_s=60.0)


@pytest.fixture
def database(database_url: str, schema: str) -> Database:
    make_tables(database_url, schema=schema)
    database = Database.at(database_url, schema)
    with database.connect() as connection:
        make_engine_tables(connection, database)
    return database


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.connect() as connected:
        yield connected


@pytest.fixture
def journal_of(database_url: str, schema: str) -> Callable[..., PostgresJournal]:
    """Makes journals of the test's own schema."""

    def make(run: str = "run", **options: Any) -> PostgresJournal:
        return PostgresJournal(database_url, run=run, schema=schema, **options)

    return make


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[ContactClient]:
    """A client that is patient with its platform, and tries again at once."""
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=QUICK, timeout_s=5.0) as connected:
        yield connected


@pytest.fixture
def tables(database_url: str, schema: str) -> Tables:
    return Tables(database_url, schema)
