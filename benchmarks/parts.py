"""What does each part of a call cost, so that a regression is found where it is?

    python -m benchmarks.parts [--quick]

Pure functions, many times over in one process: the best of five, in nanoseconds. In a running
program, where other code takes turns with them, they cost about twice that. Most of making a
contact that has an email is the check of the address by email-validator; without one it is the
checks of the other fields.
"""

import asyncio
import contextlib
import timeit
from collections.abc import Callable, Iterator

from benchmarks.measuring import Table, show
from benchmarks.rivals import BODY, CONTACT, CREDENTIALS
from contactsdk import Contact, RateLimitedError, RetryPolicy, UnavailableError, UncertainError
from contactsdk.deadlines import Deadline, Deadlines
from contactsdk.limiter import Limiter
from contactsdk.retry import Delivery, decide, is_idempotent
from contactsdk.signing import sign
from contactsdk.transport import Body
from contactsdk.wire import encode, read_id

_TARGET = "/api/1.0/contact?action=addOrUpdateContact"
_ANSWER = b'{"success":true,"id":33884}'
_REFUSED = b'{"errorCode":429,"message":"Too many requests","specificCode":0}'


def _refused() -> None:
    with contextlib.suppress(RateLimitedError):
        read_id(200, {}, _REFUSED)


def tables(quick: bool) -> Iterator[Table]:
    """One table, in the order of a call."""
    policy, limiter = RetryPolicy(), Limiter(1)
    add = Delivery(False, 0.0, None, attempts=1)
    uncertain, unavailable = UncertainError("late"), UnavailableError("never sent")

    def acquire_and_release() -> None:
        limiter.acquire_nowait()
        limiter.release()

    parts: dict[str, Callable[[], object]] = {
        "make a contact with an email": lambda: Contact(
            first_name="Bobby", last_name="Smith", email="bobbysmith@hotmail.com"
        ),
        "make a contact without": lambda: Contact(id=1, first_name="Bobby", last_name="Smith"),
        "encode it": lambda: encode(CONTACT),
        "what is known of its call": lambda: Delivery(is_idempotent(CONTACT, policy), 0.0, None),
        "the limiter": acquire_and_release,
        "the body that proves": lambda: Body(BODY, _refused),
        "sign it": lambda: sign(CREDENTIALS, BODY, target=_TARGET, now=1e9),
        "read an id": lambda: read_id(200, {}, _ANSWER),
        "read a refusal": _refused,
        "decide on an uncertain add": lambda: decide(uncertain, add, 0.0, policy),
        "decide on one never sent": lambda: decide(unavailable, add, 0.0, policy),
    }
    number = 100 if quick else 20_000
    rows = [
        (name, min(timeit.repeat(part, number=number, repeat=5)) / number * 1e9)
        for name, part in parts.items()
    ]
    rows.append(("a deadline", asyncio.run(_deadline_ns(number))))
    yield Table("Parts of a call", ("ns",), tuple(rows))


async def _deadline_ns(number: int) -> float:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)

    def keep() -> None:
        with Deadline(deadlines, loop.time() + 120, 30.0) as deadline:
            deadline.start_timeout()

    return min(timeit.repeat(keep, number=number, repeat=5)) / number * 1e9


if __name__ == "__main__":
    show(__doc__, tables)
