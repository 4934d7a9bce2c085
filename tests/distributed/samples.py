"""Contacts for runs that are submitted, and what is seen of their jobs and leases."""

from collections.abc import Sequence

from psycopg import sql

from contactsdk import Contact
from contactsdk.journal.postgres_connection import Connection, Database


def contact(number: int) -> Contact:
    return Contact(first_name="Ada", last_name=f"No {number}", email=f"ada{number}@example.com")


def contacts(count: int) -> Sequence[Contact]:
    return [contact(number) for number in range(count)]


def versions(count: int) -> Sequence[Contact]:
    """One contact, again and again."""
    return [
        Contact(
            first_name="Ada",
            last_name="Archer",
            email="ada@example.com",
            phone=str(number),
            update_if_exists=True,
        )
        for number in range(count)
    ]


def waiting(connection: Connection, database: Database) -> list[str]:
    """The queueing locks of the jobs that wait, in their order."""
    query = "SELECT queueing_lock FROM {} WHERE status = 'todo' ORDER BY id"
    table = database.table("procrastinate_jobs")
    return [lock for (lock,) in connection.execute(sql.SQL(query).format(table))]


def statuses(connection: Connection, database: Database) -> list[str]:
    """The states of all jobs, in their order."""
    table = database.table("procrastinate_jobs")
    query = sql.SQL("SELECT status FROM {} ORDER BY id").format(table)
    return [status for (status,) in connection.execute(query)]


def delete_jobs(connection: Connection, database: Database) -> None:
    with connection.transaction():
        # The engine's triggers find their tables only so.
        schema = sql.Identifier(database.schema)
        connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(schema))
        connection.execute("DELETE FROM procrastinate_jobs")


def take_lease(connection: Connection, database: Database, part: int, seconds: float) -> None:
    """Have another worker own a partition for so many seconds."""
    query = (
        "UPDATE {} SET epoch = epoch + 1, owner = 'another', "
        "until = clock_timestamp() + %s * interval '1 second' WHERE part = %s"
    )
    table = database.table("lease")
    connection.execute(sql.SQL(query).format(table), (seconds, part))
