"""A question to the person at the terminal."""

import sys
from contextlib import suppress

import typer


def is_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def answer_is_yes(question: str) -> bool:
    """Ask, and wait for a line; whether it says yes."""
    typer.echo(question, nl=False, err=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


if sys.platform == "win32":  # pragma: no cover  # it has no termios

    def drop_typed_ahead() -> None:
        """There, what was typed up to now stays."""

else:
    import termios

    def drop_typed_ahead() -> None:
        """Forget what was typed up to now: it was not meant for a question that comes only now."""
        with suppress(termios.error, OSError, ValueError):  # no terminal, or no input at all
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
