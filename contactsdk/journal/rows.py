"""The row of a journal for one item of the input, its states, and how errors are stored."""

import json
from enum import StrEnum
from typing import Any, Final

from attrs import frozen

from contactsdk import errors
from contactsdk.errors import (
    ContactError,
    InvalidContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
)


class State(StrEnum):
    """The recorded state of a contact."""

    SENT = "sent"
    """The contact was about to be sent when this was written; no outcome was recorded."""
    SUCCEEDED = "succeeded"
    """The platform added or updated the contact."""
    REJECTED = "rejected"
    """The platform refused the contact."""
    INVALID = "invalid"
    """The contact was never sent, since the platform would have refused it."""
    UNCERTAIN = "uncertain"
    """The contact may or may not have been applied."""
    NOT_APPLIED = "not applied"
    """The contact was not applied, and may be sent again."""
    WAITING = "waiting"
    """The contact waits to be sent, for the first time or again; only in a submitted run."""


MAYBE_APPLIED: Final = (State.SENT, State.SUCCEEDED, State.UNCERTAIN)
"""The states of contacts that were applied or may have been applied."""

SENT_EARLIER: Final = (
    "sent by an earlier run that ended before an answer came; look it up, or settle the journal"
)
"""The error message of a row that is still `SENT` although the run that sent it has ended."""


@frozen(kw_only=True, eq=False)
class JournalRow:
    """One row of a journal, which stands for one item of the input."""

    number: int
    """The place of the item in the input, from 0."""
    line: int | None
    """The line of the item in its file; `None` if no line was recorded.

    In a journal of `contactsdk import`, it is the row number that a spreadsheet shows."""
    state: State
    """The recorded state of the contact."""
    id: int | None
    """The platform's id of the contact; `None` unless it has succeeded."""
    error: ContactError | None
    """Why the contact did not succeed; `None` if it did, and while there is no outcome.

    An `InvalidContactError` has its message but no paths."""
    attempts: int
    """How many attempts were made, including those that sent nothing."""
    settled: bool = False
    """Whether no answer came, but a look-up found the contact on the platform."""
    batch_id: str | None = None
    """The platform's id of the batch that had the contact; `None` if it was sent alone."""
    batch_position: int | None = None
    """The place of the contact in that batch, from 0; `None` if it was sent alone."""
    id_floor: int = 0
    """The highest id that the platform had answered before the contact was first sent; 0 for none.

    If the contact was added, its id is above this one."""


UNSENT: Final = (State.NOT_APPLIED, State.WAITING)
"""The states of contacts that were not applied and may be sent."""


def state_of(error: ContactError | None) -> State:
    """The state of a row, from the final error of its contact; `None` means success."""
    match error:
        case None:
            return State.SUCCEEDED
        case InvalidContactError():
            return State.INVALID
        case RejectedError():
            return State.REJECTED
        case SetupError() | RateLimitedError() | UnavailableError():
            return State.NOT_APPLIED
        case _:  # an unknown class of error counts as uncertain too, so it is not sent again
            return State.UNCERTAIN


def pack_error(error: ContactError | None) -> bytes | None:
    """An error as a journal stores it: its class, message and details, as JSON; `None` for none."""
    if error is None:
        return None
    # If a caller derived a class from one of ours, our class is stored.
    ours = next(kind for kind in type(error).__mro__ if vars(errors).get(kind.__name__) is kind)
    # orjson cannot be used: a message may repeat a key of the input that UTF-8 cannot encode.
    return json.dumps({"type": ours.__name__, "message": error.message, **error.details()}).encode()


def unpack_error(packed: bytes | None) -> ContactError | None:
    """The error that `pack_error` stored; an `InvalidContactError` has lost its paths."""
    if packed is None:
        return None
    values: dict[str, Any] = json.loads(packed)
    kind: type[ContactError] = getattr(errors, values.pop("type"))
    if kind is InvalidContactError:
        return InvalidContactError([((), values["message"])])
    return kind(**values)
