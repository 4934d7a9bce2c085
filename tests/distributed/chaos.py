"""A run that several workers send, some of which are killed or paused at random all the time.

    python -m tests.distributed.chaos [--workers 4] [--kills 50] [--pauses 50] [--seed 1]

The platform is a sandbox with faults, whose ledger is then held against what the database recorded.
Half of the contacts are new ones, which must not be added twice; the others are versions of a few,
which must be written in their order. Printed is what does not match; the exit code is 1 then.
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import psycopg
from attrs import define, frozen
from psycopg import sql

if __package__ == "tests.distributed":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from contactsdk import Contact, ContactClient, Credentials, RetryPolicy
from contactsdk.distributed import SubmittedRun
from contactsdk.journal import JournalRow, State
from contactsdk.journal.postgres import PostgresJournal
from contactsdk.sandbox import Fault, FaultKind, Sandbox, Write
from tests.background import sandbox_in_thread
from tests.distributed.machine import Machine, Options, options_for
from tests.postgres.servers import own_server
from tests.system.reconcile import tells

PARTITIONS = 12
KEYS = 25
CONCURRENCY = 8
LEASE_S = 1.0
PATIENCE_S = 300.0

FAULTS = (
    Fault(FaultKind.CLOSE_BEFORE_READ),
    Fault(FaultKind.CLOSE_AFTER_WRITE),
    Fault(FaultKind.UNAVAILABLE),
    Fault(FaultKind.ERROR_AFTER_WRITE),
)


@frozen(kw_only=True)
class Found:
    """What the ledger and the database say in the end."""

    contacts: int
    requests: int
    kills: int
    long_pauses: int
    uncertain: int
    unclear: int
    """How many answers said nothing, or were lost, by a fault."""
    problems: Sequence[str]

    def __str__(self) -> str:
        return (
            f"{self.contacts:,} contacts, {self.requests:,} requests, {self.kills} kills, "
            f"{self.long_pauses} pauses past the lease: {self.uncertain} uncertain "
            f"({self.unclear} unclear answers), {len(self.problems)} problems"
        )


def contact(number: int) -> Contact:
    """A new contact, or the next version of one of a few."""
    if number % 2:
        key = number // 2 % KEYS
        return Contact(
            first_name="Kay",
            last_name=f"No {key}",
            email=f"key{key}@example.com",
            phone=str(number),
            update_if_exists=True,
        )
    return Contact(
        first_name="Ada",
        last_name=f"No {number}",
        email=f"new{number}@example.com",
        phone=str(number),
    )


@define
class Fleet:
    """Workers, of which each that is killed is replaced."""

    options: Options
    running: list[Machine]

    def start(self) -> None:
        self.running.append(Machine(self.options))

    def kill(self, machine: Machine) -> None:
        machine.close()
        self.running.remove(machine)
        self.start()

    def stop(self) -> Iterator[str]:
        """End all in order; what does not."""
        for machine in self.running:
            machine.until_ready()
            machine.send(signal.SIGTERM)
        for machine in self.running:
            if code := machine.wait():
                yield f"a worker ended with {code}: {machine.said[-2000:]}"

    def close(self) -> None:
        for machine in self.running:
            machine.close()


@define
class Leases:
    """The leases of the run, as the database has them."""

    connection: psycopg.Connection[tuple[int, str, int]]
    schema: str

    def read(self) -> dict[int, tuple[str, int]]:
        """Who has each partition now that anybody has, and its epoch."""
        query = "SELECT part, owner, epoch FROM {} WHERE until > clock_timestamp()"
        table = sql.Identifier(self.schema, "lease")
        found = self.connection.execute(sql.SQL(query).format(table))
        return {part: (owner, epoch) for part, owner, epoch in found}

    def of(self, machine: Machine) -> dict[int, int]:
        """The partitions that this worker has, each with its epoch."""
        name = f"process {machine.process.pid} "
        return {part: epoch for part, (owner, epoch) in self.read().items() if name in owner}


def until(what: str, is_true: Callable[[], bool]) -> None:
    """Wait for something."""
    ends = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < ends, f"never: {what}"
        time.sleep(0.005)


def disturbed(
    url: str, schema: str, *, seed: int, workers: int, kills: int, pauses: int, each: int = 60
) -> Found:
    """Send a run with so many workers, and disturb them so often; what was found in the end.

    There are `each` contacts for each time.
    """
    rng = random.Random(seed)
    actions = ["kill"] * kills + ["pause"] * pauses + ["short pause"] * (pauses // 2)
    rng.shuffle(actions)
    count = 200 + len(actions) * (each + 2 * CONCURRENCY)
    with (
        sandbox_in_thread(latency_s=0.02) as sandbox,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        sandbox.mix(seed, 0.03, FAULTS)
        run = asyncio.run(_submit(sandbox, PostgresJournal(url, run="run", schema=schema), count))
        options = options_for(sandbox, url, schema, concurrency=CONCURRENCY, lease_s=LEASE_S)
        fleet = Fleet(options, [])
        leases = Leases(connection, schema)
        try:
            for _ in range(workers):
                fleet.start()
            for number, action in enumerate(actions):
                enough = each * number
                until("requests", partial(_has_received, sandbox, enough))
                _disturb(action, fleet, leases, rng)
            progress = asyncio.run(asyncio.wait_for(run.wait(), PATIENCE_S))
            problems = list(fleet.stop())
        except AssertionError as exc:
            said = "\n".join(machine.said[-3000:] for machine in fleet.running)
            raise AssertionError(f"{exc}: {asyncio.run(run.progress())}\n{said}") from exc
        finally:
            fleet.close()
        if progress.open:
            problems.append(f"{progress.open} are open: {progress}")
        rows = list(run.journal.rows())
        problems += _problems(sandbox, rows, count)
        uncertain = sum(row.state is State.UNCERTAIN for row in rows)
        unclear = sum(not tells(request) for request in sandbox.ledger.requests)
        if uncertain > CONCURRENCY * (kills + pauses) + unclear:
            problems.append(f"{uncertain} are uncertain")
        return Found(
            contacts=count,
            requests=len(sandbox.ledger.requests),
            kills=kills,
            long_pauses=pauses,
            uncertain=uncertain,
            unclear=unclear,
            problems=problems,
        )


async def _submit(sandbox: Sandbox, journal: PostgresJournal, count: int) -> SubmittedRun:
    credentials = Credentials(sandbox.key, sandbox.secret)
    policy = RetryPolicy(base_s=0.001, max_wait_s=0.01)
    async with ContactClient(sandbox.url, credentials, retry=policy, timeout_s=1.0) as client:
        items = (contact(number) for number in range(count))
        return await client.submit(items, journal=journal, partitions=PARTITIONS)


def _has_received(sandbox: Sandbox, enough: int) -> bool:
    return len(sandbox.ledger.requests) >= enough


def _disturb(action: str, fleet: Fleet, leases: Leases, rng: random.Random) -> None:
    """Kill or pause a worker that sends."""
    owned: dict[int, int] = {}
    victim = fleet.running[0]

    def is_sending() -> bool:
        nonlocal owned, victim
        victim = rng.choice(fleet.running)
        owned = leases.of(victim)
        return bool(owned)

    until("a worker that sends", is_sending)
    match action:
        case "kill":
            fleet.kill(victim)
        case "short pause":
            victim.send(signal.SIGSTOP)
            time.sleep(rng.uniform(0, 0.8 * LEASE_S))
            victim.send(signal.SIGCONT)
        case "pause":
            victim.send(signal.SIGSTOP)
            until("the end of its lease", lambda: not leases.of(victim))
            time.sleep(rng.uniform(0, LEASE_S))
            victim.send(signal.SIGCONT)


def _problems(sandbox: Sandbox, rows: Sequence[JournalRow], count: int) -> Iterator[str]:
    written: defaultdict[int, list[Write]] = defaultdict(list)
    last: dict[str, int] = {}
    for write in sandbox.ledger.writes:
        number = int(write.body["phone"])
        written[number].append(write)
        who = write.body["email"]
        if number < last.get(who, -1):
            yield f"{who}: version {number} was written after version {last[who]}"
        last[who] = number
    added = Counter(write.body["email"] for write in sandbox.ledger.writes if write.added)
    yield from (f"{who} was added {times} times" for who, times in added.items() if times > 1)
    if [row.number for row in rows] != list(range(count)):
        yield f"{len(rows)} rows of {count} are recorded"
    for row in rows:
        ids = {write.contact_id for write in written[row.number]}
        match row.state:
            case State.SUCCEEDED:
                if ids != {row.id}:
                    yield f"contact {row.number} has id {row.id}, and {ids} were written"
            case State.UNCERTAIN:
                pass
            case _:
                if ids:
                    yield f"contact {row.number} is {row.state}, but {ids} were written"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pauses", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with own_server() as server:
        found = disturbed(server.url, "contactsdk", **vars(arguments))
    print("\n".join([str(found), *found.problems]))
    sys.exit(bool(found.problems))


if __name__ == "__main__":
    main()
