"""What a journal says of one item of a run's input, and the errors as it keeps them."""

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
    """What the journal knows of a row."""

    SENT = "sent"
    """It was about to be sent when this was written; what became of it was not recorded."""
    SUCCEEDED = "succeeded"
    """The platform added or updated it."""
    REJECTED = "rejected"
    """The platform refused it."""
    INVALID = "invalid"
    """It was never sent: the platform could only refuse it."""
    UNCERTAIN = "uncertain"
    """It may or may not have been applied."""
    NOT_APPLIED = "not applied"
    """It was not applied, and may be sent again."""
    WAITING = "waiting"
    """It waits to be sent, for the first time or again; only in a run that was submitted."""


MAYBE_APPLIED: Final = (State.SENT, State.SUCCEEDED, State.UNCERTAIN)
"""The states of contacts that are, or may be, applied."""

SENT_EARLIER: Final = (
    "sent by an earlier run that ended before an answer came; look it up, or settle the journal"
)
"""The message of a row that is `SENT`, once nobody waits for its answer any longer."""


@frozen(kw_only=True, eq=False)
class JournalRow:
    """One row as it is recorded."""

    number: int
    """Its place in the input, from 0."""
    line: int | None
    """Its line in a file; `None` where the input was not a file.

    In a journal of `contactsdk import`, it is the row number that a spreadsheet shows."""
    state: State
    """What is known of it."""
    id: int | None
    """The platform's id; `None` where it did not succeed."""
    error: ContactError | None
    """Why it did not succeed; `None` where it did, and where it is `SENT`.

    An `InvalidContactError` has its message but no paths."""
    attempts: int
    """How many attempts were made for it, those included that sent nothing."""
    settled: bool = False
    """Whether it succeeded by a look-up: no answer came, and it was found on the platform."""
    batch_id: str | None = None
    """The platform's id of the batch it was sent with; `None` where it was sent alone."""
    batch_position: int | None = None
    """Its place in that batch, from 0; `None` where it was sent alone."""
    id_floor: int = 0
    """The highest id that the platform had answered before it was first sent; 0 for none.

    What it added has an id above that."""


UNSENT: Final = (State.NOT_APPLIED, State.WAITING)
"""The states of contacts that are not applied, and may be sent."""


def state_of(error: ContactError | None) -> State:
    """The state of a row whose contact ended with this error; `None` is a success."""
    match error:
        case None:
            return State.SUCCEEDED
        case InvalidContactError():
            return State.INVALID
        case RejectedError():
            return State.REJECTED
        case SetupError() | RateLimitedError() | UnavailableError():
            return State.NOT_APPLIED
        case _:  # also a class that is new: a contact that is uncertain is not sent again
            return State.UNCERTAIN


def pack_error(error: ContactError | None) -> bytes | None:
    """An error as a journal keeps it: its kind, its message and its details, as JSON."""
    if error is None:
        return None
    # A class that a caller derived from one of ours is kept as ours.
    ours = next(kind for kind in type(error).__mro__ if vars(errors).get(kind.__name__) is kind)
    # Not orjson: a key of the input that our message names may hold what UTF-8 cannot.
    return json.dumps({"type": ours.__name__, "message": error.message, **error.details()}).encode()


def unpack_error(packed: bytes | None) -> ContactError | None:
    """The error that `pack_error` was given, but for the paths of an `InvalidContactError`."""
    if packed is None:
        return None
    values: dict[str, Any] = json.loads(packed)
    kind: type[ContactError] = getattr(errors, values.pop("type"))
    if kind is InvalidContactError:
        return InvalidContactError([((), values["message"])])
    return kind(**values)
