"""Exit codes, and how an error becomes one line on standard error and an exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import NoReturn

import typer

from contactsdk import starting
from contactsdk.cli.again import command
from contactsdk.cli.text import printable, printable_lines
from contactsdk.errors import JournalError
from contactsdk.files import FileError, HeaderError


class Exit(IntEnum):
    """The exit codes of all commands."""

    OK = 0
    """Everything succeeded."""
    SOME_FAILED = 1
    """The command ran to its end, and something did not succeed."""
    WRONG_USE = 2
    """An option, an argument or a file is wrong."""
    STOPPED = 3
    """The command stopped early, or the user said no."""
    INTERRUPTED = starting.INTERRUPTED
    """A signal, such as Ctrl-C, ended the command."""


@contextmanager
def errors_as_exits() -> Iterator[None]:
    """A context in which an error that a user can act on ends the command with a short message.

    Raises:
        typer.Exit: Such an error was raised.
    """
    starting.end()
    try:
        yield
    except HeaderError as exc:
        typer.echo(f"contactsdk: {printable_lines(str(exc))}", err=True)
        if exc.options:
            guess = command([*sys.argv[1:], *exc.options])
            typer.echo(f"To go on with these guesses: {printable(guess)}", err=True)
        raise typer.Exit(Exit.WRONG_USE) from None
    except (FileError, JournalError) as exc:
        fail(str(exc))
    except BrokenPipeError:
        # Otherwise the interpreter reports an error when it flushes output that nobody reads.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        fail("the program that read the output has ended", Exit.STOPPED)
    except OSError as exc:
        fail(f"stopped: {exc.strerror or exc}", Exit.STOPPED)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None


def fail(message: str, code: Exit = Exit.WRONG_USE) -> NoReturn:
    """End the command with this message.

    Raises:
        typer.Exit: Always, with `code`.
    """
    complain(message)
    raise typer.Exit(code)


def complain(message: str) -> None:
    """Print a message as one line on standard error, with `contactsdk:` before it."""
    typer.echo(f"contactsdk: {printable(message)}", err=True)
