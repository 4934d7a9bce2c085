"""The settings of a sandbox that apply to every request."""

from collections.abc import Callable

import attrs

from contactsdk.sandbox.guesses import Guesses
from contactsdk.sandbox.ledger import Request
from contactsdk.sandbox.limits import Limiter


@attrs.frozen(kw_only=True)
class Settings:
    """The settings that the code that answers requests needs.

    A setting that may change while the sandbox runs is a function.
    """

    key: Callable[[], str]
    secret: Callable[[], str]
    guesses: Guesses
    clock: Callable[[], float]
    """Returns epoch seconds."""
    latency_s: Callable[[], float]
    limiter: Callable[[], Limiter | None]
    on_answer: Callable[[Request], None]
