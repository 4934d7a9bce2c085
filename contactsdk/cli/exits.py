"""Exit codes, and how errors become one line on standard error and one of them."""

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
    """What the exit code of a command says."""

    OK = 0
    SOME_FAILED = 1
    WRONG_USE = 2
    STOPPED = 3
    INTERRUPTED = starting.INTERRUPTED


@contextmanager
def errors_as_exits() -> Iterator[None]:
    """Within it, errors that a user can do something about end the command with one line.

    Raises:
        typer.Exit: One of them was raised.
    """
    starting.end()
    try:
        yield
    except HeaderError as exc:
        typer.echo(f"contactsdk: {printable_lines(str(exc))}", err=True)
        if exc.options:
            guess = command([*sys.argv[1:], *exc.options])
            typer.echo(f"To go on with what is guessed: {printable(guess)}", err=True)
        raise typer.Exit(Exit.WRONG_USE) from None
    except (FileError, JournalError) as exc:
        fail(str(exc))
    except BrokenPipeError:
        # Else the interpreter complains when it flushes what nobody reads any more.
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
    """Print one line on standard error, in the name of the command."""
    typer.echo(f"contactsdk: {printable(message)}", err=True)
