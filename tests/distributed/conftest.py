"""What the tests of distributed runs start from."""

from collections.abc import AsyncIterator, Iterator

import pytest

from contactsdk import ContactClient, Credentials
from contactsdk.distributed.engine import make_engine_tables
from contactsdk.journal.postgres import make_tables
from contactsdk.journal.postgres_connection import Connection, Database
from contactsdk.sandbox import Sandbox
from tests.distributed.fixtures import Tables
from tests.quick import QUICK


@pytest.fixture
def tables(database_url: str, schema: str) -> Tables:
    return Tables(database_url, schema)


@pytest.fixture
def database(database_url: str, schema: str) -> Database:
    """The database with the tables of journals and of the engine."""
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
async def client(sandbox: Sandbox) -> AsyncIterator[ContactClient]:
    """With a timeout that no answer exceeds on a busy machine."""
    credentials = Credentials(sandbox.key, sandbox.secret)
    async with ContactClient(sandbox.url, credentials, retry=QUICK, timeout_s=5.0) as connected:
        yield connected
