"""Is a contact lost or doubled when an import is killed at any moment, again and again?

    python -m benchmarks.kills [--kills 200] [--rows 20] [--concurrency 8] [--seed 1]

`contactsdk import --journal` adds new contacts to a sandbox in this process, on loopback: so many
rows for each kill. It is ended by SIGKILL at random moments, most of them while it sends, and
started again; the last time it runs to its end. Then each row of its results is held against the
sandbox's ledger. The exit code is 1 where a row was lost, doubled or misreported.

A kill may leave as many rows uncertain as there were contacts in flight; more is an error too.
"""

import argparse
import tempfile
from pathlib import Path

from tests.background import environment_of, sandbox_in_thread
from tests.killing import import_and_kill


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--rows", type=int, default=20, help="for each kill")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with sandbox_in_thread(latency_s=0.002) as sandbox, tempfile.TemporaryDirectory() as folder:
        found = import_and_kill(
            sandbox,
            environment_of(sandbox),
            Path(folder),
            rows=arguments.rows * arguments.kills,
            kills=arguments.kills,
            concurrency=arguments.concurrency,
            seed=arguments.seed,
        )
    print(
        f"{found.rows:,} rows, {found.kills} kills: {found.succeeded:,} succeeded, "
        f"{found.uncertain} uncertain; "
        f"{found.lost} lost, {found.doubled} doubled, {found.misreported} misreported"
    )
    if not found.is_right or found.uncertain > found.kills * arguments.concurrency:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
