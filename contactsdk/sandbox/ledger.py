"""The ledger of a sandbox: the requests that arrived, and the contacts that were written."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from contactsdk.sandbox.faults import Fault


class Answer(StrEnum):
    """How a request was answered."""

    PENDING = "pending"
    """The request is not answered yet."""
    SENT = "sent"
    """A complete HTTP answer was sent; see the request's `status` and `error_code`."""
    CUT_SHORT = "cut short"
    """Only a part of an HTTP answer was sent."""
    CLOSED = "closed"
    """Nothing was sent: the sandbox closed the connection."""
    RESET = "reset"
    """Nothing was sent: the sandbox reset the connection."""
    HUNG = "hung"
    """Nothing was sent: the sandbox keeps the connection open."""
    GONE = "gone"
    """Nothing was sent: the client closed the connection first, or the sandbox was stopped."""


@attrs.define(kw_only=True, eq=False)
class Request:
    """One request that arrived, accepted or not."""

    number: int
    """The number of the request, counted from 1 in order of arrival."""
    action: str
    """The action that was asked for, such as `contact?action=addOrUpdateContact`.

    If the path is not under `/api/1.0/`, it is the whole path and query.
    """
    method: str
    """The HTTP method."""
    headers: Mapping[str, str]
    """Case-insensitive."""
    arrived_at: float = 0.0
    """When the request arrived, in epoch seconds by the sandbox's clock."""
    body: bytes = b""
    """The body of the request; empty if it was not read."""
    fault: Fault | None = None
    """The fault that the request got; `None` for none."""
    answer: Answer = Answer.PENDING
    """How the request was answered."""
    status: int | None = None
    """The HTTP status of the answer; `None` if none was sent."""
    error_code: int | None = None
    """The `errorCode` in the answer; `None` if it has none."""
    contact_id: int | None = None
    """The id of the contact that this request wrote, even if the answer did not say so."""
    async_id: str | None = None
    """The asyncId of the batch that this request started, even if the answer did not say so."""
    answer_body: bytes | None = None
    """The body of the answer, even if nothing or only a part of it was sent; `None` for none."""


def outcome_of(request: Request) -> str:
    """A few words on how a request was answered; they hold no value of a contact."""
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
    """One write: a contact was added or updated."""

    number: int
    """The number of the write, counted from 1 in order of commit."""
    contact_id: int
    """The id of the contact."""
    body: Mapping[str, Any]
    """The JSON object as it was sent."""
    request: int
    """The number of the request that caused the write; 0 for a write by another client."""
    added: bool
    """Whether the contact is new."""
    async_id: str | None = None
    """The asyncId of the batch that the write belongs to; `None` for a single call."""
    job: int | None = None
    """The position of the contact in that batch, from 0; `None` for a single call."""


@attrs.define(kw_only=True, eq=False)
class Callback:
    """One attempt to post the results of a batch to its callbackUrl."""

    async_id: str
    """The asyncId of the batch."""
    url: str
    """The address to which the results were posted."""
    status: int | None = None
    """The HTTP status of the answer; `None` if there is no answer yet, or the attempt failed."""
    failed: bool = False
    """Whether the address could not be reached, or did not answer in time."""


@attrs.define
class Ledger:
    """Everything that happened to a sandbox since it was made or cleared."""

    requests: list[Request] = attrs.field(factory=list)
    """The requests in order of arrival, refused ones included."""
    writes: list[Write] = attrs.field(factory=list)
    """The writes in order of commit, without those of rivals."""
    rival_writes: list[Write] = attrs.field(factory=list)
    """The writes of rivals (other clients of the account), in order of commit."""

    callbacks: list[Callback] = attrs.field(factory=list)
    """The callbacks in the order in which they were posted."""

    def clear(self) -> None:
        """Forget everything; the numbers start again at 1."""
        self.requests.clear()
        self.writes.clear()
        self.rival_writes.clear()
        self.callbacks.clear()
