"""Ctrl-C while the `contactsdk` command starts, and streams that are closed by then.

Most of its start is the import of this package, which comes before any code of the command; an
interrupt there would end in a traceback. So the package itself looks first whether it is imported
by its own command. In any other program, nothing is changed.

It imports little, not even typing: until that is done, an interrupt is not handled yet.
"""

import os
import signal
import sys

INTERRUPTED = 130
"""The exit code of a command that was interrupted, as in shells."""


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
    """From here on, Ctrl-C ends the process at once, if it is the command that starts."""
    if is_own_command(arguments):
        fill_closed_streams()
    # Not where it is ignored, as in the background of a shell.
    if is_own_command(arguments) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def end() -> None:
    """The command has started: Ctrl-C raises `KeyboardInterrupt` again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def fill_closed_streams() -> None:
    """Put the null device where a standard stream was closed, for which Python has `None`.

    `sys.__stdout__` still is `None` then. It also keeps the numbers of these streams from the files
    that are opened later.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _leave(_number: int, _frame: object) -> None:
    # Nothing was opened yet, and an exception would be printed by whatever import it strikes.
    os._exit(INTERRUPTED)  # pragma: no cover  # nothing is written any more, coverage included


begin(sys.orig_argv)
