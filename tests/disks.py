"""A disk that is nearly full, as SQLite sees it."""

import sqlite3
from typing import Any

import pytest


def limit_pages(patch: pytest.MonkeyPatch, pages: int) -> None:
    """Let no SQLite file grow beyond so many pages."""
    connect = sqlite3.connect

    def connect_to_a_small_disk(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    patch.setattr(sqlite3, "connect", connect_to_a_small_disk)
