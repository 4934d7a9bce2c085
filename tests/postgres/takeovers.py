"""A run that two processes send in turn, since its owner is killed or stopped again and again.

    python -m tests.postgres.takeovers [--kills 100] [--pauses 100] [--seed 1]

The platform is a sandbox with faults, whose ledger is then held against what the journal recorded
and what the last process reported. Printed is what does not match; the exit code is 1 then.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import psycopg
from attrs import define
from psycopg import sql

from contactsdk.journal import State
from contactsdk.journal.postgres import PostgresJournal, make_tables
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.background import sandbox_in_thread
from tests.postgres.sender import TAKEN_OVER, Options
from tests.postgres.servers import own_server
from tests.system.reconcile import tells

CONCURRENCY = 8
LEASE_S = 0.75
REQUESTS_BETWEEN = (10, 40)
PATIENCE_S = 120.0

FAULTS = (
    Fault(FaultKind.CLOSE_BEFORE_READ),
    Fault(FaultKind.CLOSE_AFTER_WRITE),
    Fault(FaultKind.UNAVAILABLE),
    Fault(FaultKind.ERROR_AFTER_WRITE),
)


@define
class Processes:
    """Two processes that send the same run: its owner, and its standby."""

    options: Options
    running: list[subprocess.Popen[str]]

    def start(self) -> None:
        process = subprocess.Popen(
            self.options.command(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)

    def replace(self, process: subprocess.Popen[str]) -> int:
        """Wait for the end of a process and start another; its exit code."""
        process.communicate(timeout=PATIENCE_S)
        self.running.remove(process)
        self.start()
        return process.returncode

    def replace_ended(self) -> None:
        """Start another for each that was taken over without us: where a machine is that busy."""
        for process in tuple(self.running):
            if process.poll() is not None:
                assert self.replace(process) == TAKEN_OVER

    def finish(self) -> list[str]:
        """What each process printed that came to the end of the run."""
        printed = []
        while self.running:
            process = self.running.pop()
            output, errors = process.communicate(timeout=PATIENCE_S)
            if process.returncode == TAKEN_OVER:
                self.start()
                continue
            assert process.returncode == 0, errors
            printed.append(output)
        return printed

    def kill_all(self) -> None:
        for process in self.running:
            process.kill()
            process.communicate()


@define
class Lease:
    """The lease of the run, as the database has it."""

    connection: psycopg.Connection[tuple[str, int]]
    schema: str

    def read(self) -> tuple[str, int]:
        """Its owner, and its epoch."""
        query = sql.SQL("SELECT owner, epoch FROM {}").format(sql.Identifier(self.schema, "lease"))
        return self.connection.execute(query).fetchone() or ("", 0)

    def owner_among(self, processes: list[subprocess.Popen[str]]) -> subprocess.Popen[str] | None:
        """The process that has it; `None` where another one had it last."""
        owner, _ = self.read()
        return next((p for p in processes if f"process {p.pid} " in owner), None)


def until(what: str, is_true: Callable[[], bool]) -> None:
    """Wait for something."""
    ends = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < ends, f"never: {what}"
        time.sleep(0.005)


def disturbed(url: str, schema: str, *, seed: int, kills: int, pauses: int) -> list[str]:
    """Disturb a run so often; what the ledger then has otherwise than the journal says."""
    rng = random.Random(seed)
    actions = ["kill"] * kills + ["pause"] * pauses
    rng.shuffle(actions)
    count = 100 + len(actions) * (REQUESTS_BETWEEN[1] + 4 * CONCURRENCY)
    with (
        sandbox_in_thread(latency_s=0.02) as sandbox,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        make_tables(url, schema=schema)
        sandbox.mix(seed, 0.05, FAULTS)
        processes = Processes(
            Options(
                platform_url=sandbox.url,
                key=sandbox.key,
                secret=sandbox.secret,
                database_url=url,
                schema=schema,
                count=count,
                concurrency=CONCURRENCY,
                lease_s=LEASE_S,
            ),
            [],
        )
        lease = Lease(connection, schema)
        try:
            for _ in range(2):
                processes.start()
            for action in actions:
                _disturb(action, processes, lease, sandbox, rng)
            sandbox.latency_s = 0.0
            printed = processes.finish()
        finally:
            processes.kill_all()
        journal = PostgresJournal(url, run="run", schema=schema)
        takeovers = lease.read()[1] - 1
        return list(_problems(sandbox, journal, printed, count, takeovers))


def _disturb(
    action: str, processes: Processes, lease: Lease, sandbox: Sandbox, rng: random.Random
) -> None:
    """Kill the owner, or stop it until the other one has taken over; then start another."""
    enough = len(sandbox.ledger.requests) + rng.randint(*REQUESTS_BETWEEN)
    owner: subprocess.Popen[str] | None = None

    def is_owner_sending() -> bool:
        nonlocal owner
        processes.replace_ended()
        owner = lease.owner_among(processes.running)
        return owner is not None and len(sandbox.ledger.requests) >= enough

    until("requests of an owner", is_owner_sending)
    assert owner is not None
    _, epoch = lease.read()
    owner.send_signal(signal.SIGKILL if action == "kill" else signal.SIGSTOP)
    if action == "kill":
        assert processes.replace(owner) in (-signal.SIGKILL, TAKEN_OVER)
    until("a takeover", lambda: lease.read()[1] > epoch)
    if action == "pause":
        owner.send_signal(signal.SIGCONT)
        assert processes.replace(owner) == TAKEN_OVER


def _problems(
    sandbox: Sandbox, journal: PostgresJournal, printed: list[str], count: int, takeovers: int
) -> Iterator[str]:
    written: defaultdict[int, set[int]] = defaultdict(set)
    added = Counter[int]()
    for write in sandbox.ledger.writes:
        number = int(write.body["externalId"])
        written[number].add(write.contact_id)
        added[number] += write.added
    for number, times in added.items():
        if times > 1:
            yield f"contact {number} was added {times} times"
    rows = {row.number: row for row in journal.rows()}
    if rows.keys() != set(range(count)):
        yield f"{len(rows)} rows of {count} are recorded"
    for row in rows.values():
        yield from _differences("the journal", row.number, row.id, row.state, written[row.number])
    for output in printed:
        outcomes = [json.loads(line) for line in output.splitlines()]
        if sorted(number for number, _, _ in outcomes) != list(range(count)):
            yield f"{len(outcomes)} outcomes of {count}"
        for number, id_, error in outcomes:
            state = State.SUCCEEDED if error is None else _STATES.get(error, State.NOT_APPLIED)
            yield from _differences("an outcome", number, id_, state, written[number])
    uncertain = sum(row.state is State.UNCERTAIN for row in rows.values())
    unclear = sum(not tells(request) for request in sandbox.ledger.requests)
    if uncertain > CONCURRENCY * takeovers + unclear:
        yield f"{uncertain} uncertain after {takeovers} takeovers and {unclear} unclear answers"


_STATES = {"UncertainError": State.UNCERTAIN}


def _differences(
    who: str, number: int, id_: int | None, state: State, written: set[int]
) -> Iterator[str]:
    match state:
        case State.SUCCEEDED:
            if written != {id_}:
                yield f"{who}: contact {number} has id {id_}, and {written} were written"
        case State.UNCERTAIN:
            pass
        case _:
            if written:
                yield f"{who}: contact {number} is {state}, but {written} were written"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--pauses", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with own_server() as server:
        problems = disturbed(
            server.url,
            "contactsdk",
            seed=arguments.seed,
            kills=arguments.kills,
            pauses=arguments.pauses,
        )
    print("\n".join(problems) or "all as the ledger has it")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
