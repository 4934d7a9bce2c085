"""Imports that are killed at any moment and go on; `python -m benchmarks.kills` does more of it."""

from pathlib import Path

from tests.background import environment_of, sandbox_in_thread
from tests.killing import import_and_kill

ROWS = 600
CONCURRENCY = 8
KILLS = 5  # the fifth strikes at any time, and not while something is sent


def test_killed_import_goes_on_without_losing_or_doubling_a_row(tmp_path: Path) -> None:
    with sandbox_in_thread(latency_s=0.002) as sandbox:
        found = import_and_kill(
            sandbox,
            environment_of(sandbox),
            tmp_path,
            rows=ROWS,
            kills=KILLS,
            concurrency=CONCURRENCY,
            seed=1,
            any_time_every=KILLS,
        )

    assert found.kills > 0
    assert found.is_right, str(found)
    assert found.uncertain <= found.kills * CONCURRENCY
