"""A PostgreSQL server for all tests, and in it a schema for each."""

import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from postgres.servers import own_server
from psycopg import sql

from contactsdk.journal.postgres import PostgresJournal


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """The server of CONTACTSDK_TEST_POSTGRES, else one that is made here."""
    if url := os.environ.get("CONTACTSDK_TEST_POSTGRES"):
        yield url
        return
    with own_server() as server:
        yield server.url


@pytest.fixture
def schema(database_url: str) -> Iterator[str]:
    """The name of a schema that is removed after the test."""
    name = f"test_{secrets.token_hex(6)}"
    yield name
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


@pytest.fixture
def journal_of(database_url: str, schema: str) -> Callable[..., PostgresJournal]:
    """Makes journals of the test's own schema."""

    def make(run: str = "run", **options: Any) -> PostgresJournal:
        return PostgresJournal(database_url, run=run, schema=schema, **options)

    return make


@pytest.fixture
def journal(journal_of: Callable[..., PostgresJournal]) -> PostgresJournal:
    return journal_of()
