"""SQLite under other conditions than it finds here."""

import sqlite3
from typing import Any

import pytest


def connect_with(patch: pytest.MonkeyPatch, pragma: str) -> None:
    """Let each connection begin with a pragma, such as one that says how large a file may grow."""
    connect = sqlite3.connect

    def connect_so(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.execute(f"PRAGMA {pragma}")
        return connection

    patch.setattr(sqlite3, "connect", connect_so)
