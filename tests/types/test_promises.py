"""The type checkers agree with promises.py."""

import subprocess
import sys
from pathlib import Path

PROMISES = str(Path(__file__).with_name("promises.py"))
ROOT = Path(__file__).parents[2]


def complaints(*checker: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *checker, PROMISES], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout + done.stderr if done.returncode else ""


def test_mypy_finds_the_promises_kept(tmp_path: Path) -> None:
    assert complaints("mypy", "--strict", "--cache-dir", str(tmp_path)) == ""


def test_pyright_finds_the_promises_kept() -> None:
    assert complaints("basedpyright", "--pythonpath", sys.executable) == ""
