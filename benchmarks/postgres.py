"""What does a journal in PostgreSQL cost, and how does it grow?

    python -m benchmarks.postgres [--contacts 20000] [--rounds 5] [--rows 1000000]

A server of its own, with its default settings but for 32 MB of buffers, on this machine and this
disk. An intent and an outcome are recorded for each of 64 tasks at a time, so in groups of up to
64, without any HTTP: in a PostgreSQL journal of each durability and, in the same round, in a SQLite
journal of the durability "power". Printed are the medians of rows written per second, and of their
ratios to that SQLite journal.

Then a run of a million rows is made by SQL, and a page of 500 rows and the status of the run are
read 100 times each. Printed are the medians and the slowest, in milliseconds.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks.journal import contacts, recorded
from contactsdk import SqliteJournal
from contactsdk.journal import Journal
from contactsdk.journal import postgres_statements as statements
from contactsdk.journal.postgres import PostgresJournal, make_tables
from contactsdk.journal.postgres_connection import Database
from tests.postgres.servers import own_server

CONCURRENCY = 64

FILL = """
WITH added AS (
    INSERT INTO contactsdk.run (name, account, salt) VALUES ('long', '', '') RETURNING id
), leased AS (
    INSERT INTO contactsdk.lease (run, recorded, succeeded) SELECT id, %(rows)s, %(rows)s FROM added
)
INSERT INTO contactsdk.row (run, number, digest, key, state, id, attempts, settled, id_floor, epoch)
SELECT added.id, number, decode(md5(number::text), 'hex'), decode(md5(number::text), 'hex'),
    'succeeded', number, 1, false, 0, 1
FROM added, generate_series(0, %(rows)s - 1) AS number
"""


def compare(url: str, count: int, rounds: int, folder: Path) -> None:
    items = list(contacts(count))
    found: dict[str, list[float]] = {}
    for number in range(rounds):
        journals: dict[str, Journal] = {
            "SQLite, power": SqliteJournal(folder / f"{number}.sqlite", "power"),
            "PostgreSQL, power": PostgresJournal(url, run=f"power {number}"),
            "PostgreSQL, process": PostgresJournal(
                url, run=f"process {number}", durability="process"
            ),
        }
        for kind, journal in journals.items():
            per_s, _ = asyncio.run(recorded(journal, items, group=CONCURRENCY))
            found.setdefault(kind, []).append(per_s)
    for kind, values in found.items():
        pairs = zip(values, found["SQLite, power"], strict=True)
        ratio = statistics.median(value / sqlite for value, sqlite in pairs)
        print(f"{kind:20} {statistics.median(values):7,.0f} rows written/s  {ratio:.2f} of SQLite")


def read(url: str, rows: int) -> None:
    make_tables(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL, {"rows": rows})
        connection.execute("VACUUM ANALYZE contactsdk.row")
        database = Database.at(url, "contactsdk")
        page, status = statements.read_rows(database), statements.find_run(database)
        found = connection.execute(status, ("long",)).fetchone()
        assert found is not None
        run = found[0]
        starts = iter(range(0, rows - 500, rows // 100))

        def read_page() -> None:
            start = next(starts)
            values = run, start, start + 500
            assert len(connection.execute(page, values).fetchall()) == 500

        for what, step in (
            ("a page of 500", read_page),
            ("the status", lambda: connection.execute(status, ("long",)).fetchone()),
        ):
            taken = [milliseconds(step) for _ in range(100)]
            print(
                f"{what} at {rows:,} rows: {statistics.median(taken):.2f} ms, "
                f"{max(taken):.2f} ms at most"
            )


def milliseconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with own_server() as server, tempfile.TemporaryDirectory() as folder:
        compare(server.url, arguments.contacts, arguments.rounds, Path(folder))
        read(server.url, arguments.rows)


if __name__ == "__main__":
    main()
