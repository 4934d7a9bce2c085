"""A question to the person at the terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final, TextIO

import typer
from attrs import frozen

_IS_WINDOWS: Final = sys.platform == "win32"
_ANSWERS: Final = {"y": True, "yes": True, "n": False, "no": False, "": False}
_ASKED: Final = 3
_KEYBOARD, _SCREEN = ("CONIN$", "CONOUT$") if _IS_WINDOWS else ("/dev/tty", "/dev/tty")


@frozen
class Terminal:
    """The keyboard and screen of a person, even if the standard streams are redirected."""

    keyboard: TextIO
    """The stream from which typed text is read."""
    screen: TextIO
    """The stream to which text for the person is written."""

    def show(self, text: str) -> None:
        """Write a text and a line end to the screen."""
        typer.echo(text, file=self.screen)

    def is_answered_yes(self, question: str) -> bool:
        """Ask, and wait for a line; returns whether it says yes.

        An empty line and the end of the input say no. If a line says neither yes nor no, the
        question is asked again, three times in all; after that, the answer is no.
        """
        for _ in range(_ASKED):
            typer.echo(question, nl=False, file=self.screen)
            self.screen.flush()
            answer = self.keyboard.readline().strip().casefold()
            if answer in _ANSWERS:
                return _ANSWERS[answer]
            self.show("Not understood, and nothing was done: answer y for yes, or n for no.")
        return False


@contextmanager
def terminal() -> Iterator[Terminal | None]:
    """The terminal of the person who waits for this command; `None` if there is nobody.

    The terminal is found even if standard streams are redirected, as with `2>&1 | tee log`. A job
    in the background, or one that a service manager or a scheduler started, has nobody to ask.
    """
    with ExitStack() as stack:
        yield _terminal(stack)


def is_terminal() -> bool:
    """Whether a person can be asked."""
    with terminal() as found:
        return found is not None


def answer_is_yes(question: str) -> bool:
    """Ask at the terminal, or else on the standard streams; returns whether the answer is yes."""
    with terminal() as found:
        return (found or Terminal(sys.stdin, sys.stderr)).is_answered_yes(question)


def _terminal(stack: ExitStack) -> Terminal | None:
    if sys.stdin.isatty() and sys.stderr.isatty():
        return Terminal(sys.stdin, sys.stderr)
    if not (sys.stdin.isatty() or _is_in_foreground()):
        return None
    keyboard, screen = _names()
    try:
        # Opened twice, and not as "r+": Python wants such a text file to seek, and a terminal
        # cannot.
        return Terminal(
            stack.enter_context(open(keyboard, encoding="utf-8", errors="replace")),
            stack.enter_context(open(screen, "w", encoding="utf-8", errors="replace")),
        )
    except OSError:
        return None


def _names() -> tuple[str, str]:
    """The names under which the keyboard and the screen are opened.

    If standard input is a terminal, it is that one; otherwise the one that controls this process.
    """
    if not _IS_WINDOWS and sys.stdin.isatty():
        name = os.ttyname(sys.stdin.fileno())
        return name, name
    return _KEYBOARD, _SCREEN


if sys.platform == "win32":  # pragma: no cover  # Windows has no process groups and no termios

    def _is_in_foreground() -> bool:
        return sys.stdout.isatty() or sys.stderr.isatty()

    def drop_typed_ahead() -> None:
        """Do nothing: on Windows, text that was typed before the question is not dropped."""

else:
    import termios

    def _is_in_foreground() -> bool:
        """Whether this process is in the foreground of its terminal, and not a background job."""
        try:
            number = os.open(_KEYBOARD, os.O_RDWR | os.O_NOCTTY)
        except OSError:
            return False
        try:
            return os.tcgetpgrp(number) == os.getpgrp()
        finally:
            os.close(number)

    def drop_typed_ahead() -> None:
        """Drop text that was typed before the question was shown: it is not an answer to it."""
        with (
            suppress(termios.error, OSError, ValueError),  # there is no terminal, or no input
            terminal() as found,
        ):
            keyboard = sys.stdin if found is None else found.keyboard
            termios.tcflush(keyboard.fileno(), termios.TCIFLUSH)
