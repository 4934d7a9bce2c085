"""A PostgreSQL server for all tests, and in it a schema for each."""

import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from contactsdk.journal.postgres import PostgresJournal
from tests.postgres.servers import Server, own_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that is made here, and may be stopped by a test that starts it again."""
    with own_server() as running:
        yield running


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest) -> str:
    """The server of CONTACTSDK_TEST_POSTGRES, else the one that is made here."""
    if url := os.environ.get("CONTACTSDK_TEST_POSTGRES"):
        return url
    made: Server = request.getfixturevalue("server")
    return made.url


@pytest.fixture
def schema(database_url: str) -> Iterator[str]:
    """The name of a schema that is removed after the test."""
    name = f"test_{secrets.token_hex(6)}"
    yield name
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


@pytest.fixture
def own_database_url(database_url: str) -> Iterator[str]:
    """A database that is removed after the test, for what names no schema."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def journal_of(database_url: str, schema: str) -> Callable[..., PostgresJournal]:
    """Makes journals of the test's own schema."""

    def make(run: str = "run", **options: Any) -> PostgresJournal:
        return PostgresJournal(database_url, run=run, schema=schema, **options)

    return make


@pytest.fixture
def journal(journal_of: Callable[..., PostgresJournal]) -> PostgresJournal:
    return journal_of()
