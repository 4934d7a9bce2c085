"""What every request of a sandbox is answered by."""

from collections.abc import Callable

import attrs

from contactsdk.sandbox.guesses import Guesses
from contactsdk.sandbox.ledger import Request
from contactsdk.sandbox.limits import Limiter


@attrs.frozen(kw_only=True)
class Settings:
    """What the sandbox tells those who answer its requests; what may change is a function."""

    key: Callable[[], str]
    secret: Callable[[], str]
    guesses: Guesses
    clock: Callable[[], float]
    """Epoch seconds."""
    latency_s: Callable[[], float]
    limiter: Callable[[], Limiter | None]
    on_answer: Callable[[Request], None]
