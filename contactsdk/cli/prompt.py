"""A question to the person at the terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final, TextIO

import typer
from attrs import frozen

_IS_WINDOWS: Final = sys.platform == "win32"
_KEYBOARD, _SCREEN = ("CONIN$", "CONOUT$") if _IS_WINDOWS else ("/dev/tty", "/dev/tty")


@frozen
class Terminal:
    """What a person types and what that person sees, wherever the standard streams lead."""

    keyboard: TextIO
    """What is typed is read from here."""
    screen: TextIO
    """What is shown is written here."""

    def show(self, text: str) -> None:
        """Show a text."""
        typer.echo(text, file=self.screen)

    def is_answered_yes(self, question: str) -> bool:
        """Ask, and wait for a line; whether it says yes."""
        typer.echo(question, nl=False, file=self.screen)
        self.screen.flush()
        return self.keyboard.readline().strip().casefold() in ("y", "yes")


@contextmanager
def terminal() -> Iterator[Terminal | None]:
    """The terminal of the person who waits for this command; `None` where there is nobody.

    A pipe or a file in place of a standard stream, such as `2>&1 | tee log`, does not hide the
    person. A job in the background, of a service manager or of a scheduler has nobody to ask.
    """
    with ExitStack() as stack:
        yield _terminal(stack)


def is_terminal() -> bool:
    """Whether a person can be asked."""
    with terminal() as found:
        return found is not None


def answer_is_yes(question: str) -> bool:
    """Ask, and wait for a line; whether it says yes."""
    with terminal() as found:
        return (found or Terminal(sys.stdin, sys.stderr)).is_answered_yes(question)


def _terminal(stack: ExitStack) -> Terminal | None:
    if sys.stdin.isatty() and sys.stderr.isatty():
        return Terminal(sys.stdin, sys.stderr)
    if not (sys.stdin.isatty() or _is_in_foreground()):
        return None
    keyboard, screen = _names()
    try:
        # Not "r+": a terminal cannot seek, which Python wants of a text file for both.
        return Terminal(
            stack.enter_context(open(keyboard, encoding="utf-8", errors="replace")),
            stack.enter_context(open(screen, "w", encoding="utf-8", errors="replace")),
        )
    except OSError:
        return None


def _names() -> tuple[str, str]:
    """Under which names the terminal is opened: its own, where standard input shows which it is."""
    if not _IS_WINDOWS and sys.stdin.isatty():
        name = os.ttyname(sys.stdin.fileno())
        return name, name
    return _KEYBOARD, _SCREEN


if sys.platform == "win32":  # pragma: no cover  # it has no groups of processes and no termios

    def _is_in_foreground() -> bool:
        return sys.stdout.isatty() or sys.stderr.isatty()

    def drop_typed_ahead() -> None:
        """There, what was typed up to now stays."""

else:
    import termios

    def _is_in_foreground() -> bool:
        """Whether the terminal of this session waits for this process, not for a shell."""
        try:
            number = os.open(_KEYBOARD, os.O_RDWR | os.O_NOCTTY)
        except OSError:
            return False
        try:
            return os.tcgetpgrp(number) == os.getpgrp()
        finally:
            os.close(number)

    def drop_typed_ahead() -> None:
        """Forget what was typed up to now: it was not meant for a question that comes only now."""
        with (
            suppress(termios.error, OSError, ValueError),  # no terminal, or no input at all
            terminal() as found,
        ):
            keyboard = sys.stdin if found is None else found.keyboard
            termios.tcflush(keyboard.fileno(), termios.TCIFLUSH)
