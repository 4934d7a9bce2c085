"""Handles Ctrl-C and closed standard streams while the `contactsdk` command starts.

Most of the start is the import of this package, before any code of the command runs. An interrupt
at that time would print a traceback. So the package first checks whether its own command imports
it. In any other program it changes nothing.

This module imports little, not even `typing`: an interrupt during its own imports is not handled.
"""

import os
import signal
import sys

INTERRUPTED = 130
"""The exit code of a command that was interrupted, as shells use it."""


def is_own_command(arguments: list[str]) -> bool:
    """Whether an interpreter with these arguments (`sys.orig_argv`) runs the command."""
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "-m":
            return next(rest, None) == "contactsdk"
        if argument in ("-W", "-X"):
            next(rest, None)
        elif not argument.startswith("-"):
            name, _ = os.path.splitext(os.path.basename(argument))
            return name == "contactsdk"
    return False


def begin(arguments: list[str]) -> None:
    """If the command is starting, make Ctrl-C end the process at once from now on."""
    if is_own_command(arguments):
        fill_closed_streams()
    # If the signal is ignored, as in a background job of a shell, it stays ignored.
    if is_own_command(arguments) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def end() -> None:
    """Make Ctrl-C raise `KeyboardInterrupt` again, when the command has started."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def fill_closed_streams() -> None:
    """Replace each standard stream that was closed, and is `None` in Python, by the null device.

    `sys.__stdout__` stays `None`. This also reserves the file descriptors of these streams, so that
    files that are opened later do not get them.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _leave(_number: int, _frame: object) -> None:
    # Nothing was opened yet, so nothing is lost. An exception would print a traceback.
    os._exit(INTERRUPTED)  # pragma: no cover  # coverage cannot write its data after this


begin(sys.orig_argv)
