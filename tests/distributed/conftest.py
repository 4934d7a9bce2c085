"""A database with the tables of journals and of the engine, for each test."""

from collections.abc import Iterator

import pytest

from contactsdk.distributed.engine import make_engine_tables
from contactsdk.journal.postgres import make_tables
from contactsdk.journal.postgres_connection import Connection, Database


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
