"""What the platform was asked, and what it wrote."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from contactsdk.sandbox.faults import Fault


class Answer(StrEnum):
    """How a request was answered."""

    PENDING = "pending"
    """Not yet."""
    SENT = "sent"
    """With a complete HTTP answer; see the request's `status` and `error_code`."""
    CUT_SHORT = "cut short"
    """With a part of one."""
    CLOSED = "closed"
    """Not at all: the sandbox closed the connection."""
    RESET = "reset"
    """Not at all: the sandbox reset the connection."""
    HUNG = "hung"
    """Not at all: the sandbox keeps the connection open and silent."""
    GONE = "gone"
    """Not at all: the client left first, or the sandbox was stopped."""


@attrs.define(kw_only=True, eq=False)
class Request:
    """One request that arrived, good or bad."""

    number: int
    """Counts from 1 in order of arrival."""
    action: str
    """Such as `contact?action=addOrUpdateContact`; the whole target outside of `/api/1.0/`."""
    method: str
    """The HTTP method."""
    headers: Mapping[str, str]
    """Case-insensitive."""
    arrived_at: float = 0.0
    """Epoch seconds by the sandbox's clock."""
    body: bytes = b""
    """Empty if it was not read."""
    fault: Fault | None = None
    """What went wrong with it on purpose; `None` for nothing."""
    answer: Answer = Answer.PENDING
    """How far it was answered."""
    status: int | None = None
    """The HTTP status; `None` if none was sent."""
    error_code: int | None = None
    """The answer's `errorCode`."""
    contact_id: int | None = None
    """The contact that this request wrote, whether or not the answer said so."""
    async_id: str | None = None
    """The batch that was accepted from this request, whether or not the answer said so."""
    answer_body: bytes | None = None
    """What was answered, also where it was not or not wholly sent; `None` if there was nothing."""


def outcome_of(request: Request) -> str:
    """In a few words, without any contact's values: how a request was answered."""
    words = str(request.status) if request.answer is Answer.SENT else request.answer.value
    if request.contact_id is not None:
        words += f", contact {request.contact_id}"
    if request.async_id is not None:
        words += f", batch {request.async_id}"
    if request.error_code is not None:
        words += f", errorCode {request.error_code}"
    if request.fault is not None:
        words += f" (fault: {request.fault.kind.value})"
    return words


@attrs.frozen(kw_only=True)
class Write:
    """One contact that was added or updated."""

    number: int
    """Counts from 1 in order of commit."""
    contact_id: int
    """The id of the contact."""
    body: Mapping[str, Any]
    """The JSON object as it was sent."""
    request: int
    """The number of the request; 0 for a rival."""
    added: bool
    """Whether the contact is new."""
    async_id: str | None = None
    """The batch that this write came from, if it did."""
    job: int | None = None
    """The position in that batch, from 0."""


@attrs.define(kw_only=True, eq=False)
class Callback:
    """One time that the results of a batch were posted to its callbackUrl."""

    async_id: str
    """The id of the batch."""
    url: str
    """Where the results were posted."""
    status: int | None = None
    """The HTTP status that was answered; `None` while there is no answer."""
    failed: bool = False
    """Whether nobody could be reached, or nobody answered in time."""


@attrs.define
class Ledger:
    """All that happened to a sandbox since it was made or cleared."""

    requests: list[Request] = attrs.field(factory=list)
    """In order of arrival, the refused ones too."""
    writes: list[Write] = attrs.field(factory=list)
    """In order of commit; what rivals wrote is not among them."""
    rival_writes: list[Write] = attrs.field(factory=list)
    """What other clients wrote, in order of commit."""

    callbacks: list[Callback] = attrs.field(factory=list)
    """In the order in which they were posted."""

    def clear(self) -> None:
        """Forget everything; the numbers start again at 1."""
        self.requests.clear()
        self.writes.clear()
        self.rival_writes.clear()
        self.callbacks.clear()
