"""Batches: up to 200 contacts in one request, whose results are fetched later.

Sources: the platform's pages "Run", "Progress" and "Result" of "Batch".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from attrs import field, frozen

from contactsdk.errors import (
    ContactError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
    converted,
)
from contactsdk.wire.answers import STALE_DATE, id_of, read_object, refusal
from contactsdk.wire.equality import same_email, same_value
from contactsdk.wire.values import whole_number

MAX_JOBS: Final = 200
"""The most contacts that the platform takes in one batch."""

TOO_MANY_JOBS: Final = 24448
"""The `specific_code` of the refusal of a batch with too many contacts; nothing was applied."""

NO_SUCH_BATCH: Final = 24115
"""The `specific_code` if the platform does not know the batch, or no longer keeps its results."""

_NOT_SAVED: Final = 24091
_WRONG_JOBS: Final = (24092, 24093)
_NOT_COMPLETED: Final = 24114

_JOB: Final = b'{"namespace":"contact","action":"addOrUpdateContact","params":'


@frozen(kw_only=True)
class JobResult:
    """The result of one contact in the results of a batch."""

    request: Any = field(repr=False)
    """The parameters of the contact as the platform repeats them; they may be normalised."""
    response: Any = field(repr=False)
    """The answer that the platform would give to a call for this contact alone."""


def encode_run(bodies: Sequence[bytes]) -> bytes:
    """The body of a request that runs a batch; `bodies` are the contacts as `encode` writes them.

    Their bytes are used unchanged, in this order.
    """
    return b'{"jobs":[' + b",".join([_JOB + body + b"}" for body in bodies]) + b"]}"


def read_async_id(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """The asyncId of a batch, from the answer to the request that runs it.

    Raises:
        UnavailableError: Not applied, and may work later; as a smaller batch if `is_too_large`.
        RejectedError: Not applied; maybe only one contact of the batch is wrong.
        SetupError: Not applied; the platform does not accept such batches, or none with this key.
        UncertainError: The platform may have accepted the batch.
        ContactError: The answer reports another error.
    """
    try:
        answer = read_object(status, headers, body)
    except ContactError as error:
        meant = _refusal_of_run(error)
        if meant is error:
            raise
        raise meant from error
    async_id = _async_id(answer.get("asyncId"))
    if async_id is None:
        raise UncertainError("the answer contains no batch id", http_status=status)
    return async_id


def is_too_large(error: ContactError) -> bool:
    """Whether a batch was refused because it has too many contacts, or too many bytes."""
    is_too_long = error.http_status == 413 and error.error_code is None
    return is_too_long or error.specific_code == TOO_MANY_JOBS


def encode_async(async_id: str) -> bytes:
    """The body that asks for the progress or the results of a batch."""
    return orjson.dumps({"async": async_id})


def read_progress(status: int, headers: Mapping[str, str], body: bytes) -> int:
    """How much of a batch is done, in percent from 0 to 100.

    Raises:
        ContactError: The answer does not say; the batch may still be executed.
    """
    percent = whole_number(read_object(status, headers, body).get("progress"))
    if percent is None or not 0 <= percent <= 100:
        raise UncertainError("the answer contains no progress", http_status=status)
    return percent


def read_results(
    status: int, headers: Mapping[str, str], body: bytes
) -> tuple[JobResult, ...] | None:
    """The results of a batch, one for each contact in order; `None` if it is not completed yet.

    Raises:
        UncertainError: The answer contains no results. If its specific code is `NO_SUCH_BATCH`,
            asking again is useless.
        ContactError: The request for the results failed. With any of these errors, the contacts of
            the batch may have been applied.
    """
    try:
        answer = read_object(status, headers, body)
    except ContactError as error:
        if error.specific_code == _NOT_COMPLETED:
            return None
        if error.specific_code == NO_SUCH_BATCH or isinstance(error, RejectedError):
            # The platform refuses the request for the results, not the contacts.
            what = f"the platform did not say what became of the batch: {error.message}"
            raise converted(error, UncertainError, what) from error
        raise
    results = answer.get("results")
    if not isinstance(results, list):
        raise UncertainError("the answer contains no results of a batch", http_status=status)
    return tuple(map(_job_result, results))


def job_outcome(job: JobResult | None, sent_body: bytes) -> int:
    """The contact's id, from the result at the contact's position in the batch.

    `job` is `None` if there is no result. `sent_body` is the contact as `encode` wrote it.

    Raises:
        UncertainError: There is no result, it is another contact's, or it contains no id.
        ContactError: As for an answer to this contact alone.
    """
    if job is None:
        raise UncertainError("the batch has no result for this contact")
    if not _is_echo(job.request, orjson.loads(sent_body)):
        raise UncertainError("the batch has another contact's result in place of this one's")
    error = refusal(None, {}, job.response)
    if error is not None:
        raise error
    if not isinstance(job.response, dict):
        raise UncertainError("the batch has no readable result for this contact")
    return id_of(job.response, None)


def _job_result(item: Any) -> JobResult:
    fields = item if isinstance(item, dict) else {}
    return JobResult(request=fields.get("request"), response=fields.get("response"))


def _is_echo(request: Any, sent: Mapping[str, Any]) -> bool:
    """Whether `request`, which may be normalised, is the request that was sent for a contact."""
    if request == sent:  # true for most
        return True
    if not isinstance(request, Mapping) or not same_value(sent.get("id"), request.get("id")):
        return False
    if "id" in sent:
        return True
    return same_email(sent["email"], request.get("email")) and all(
        same_value(sent.get(name), request.get(name))
        for name in ("firstName", "lastName", "externalId")
    )


def _refusal_of_run(error: ContactError) -> ContactError:
    """The error for the refusal of a whole batch, since `answers` is about single contacts."""
    code = error.error_code if error.error_code is not None else error.http_status
    if error.specific_code == STALE_DATE:
        return error
    if is_too_large(error):
        return converted(error, UnavailableError, f"the batch is too large: {error.message}")
    if error.specific_code == _NOT_SAVED:
        return converted(error, UnavailableError, f"the batch was not saved: {error.message}")
    if error.specific_code in _WRONG_JOBS:
        return converted(error, SetupError, f"the batch is not understood: {error.message}")
    if code in (401, 403, 404, 405):
        what = (
            f"the platform refused batch?action=run ({code}: {error.message}); if single contacts "
            "can be sent, the key has no right to use batches: send without batch_size"
        )
        kind = type(error) if isinstance(error, SetupError) else SetupError
        return converted(error, kind, what)
    return error


def _async_id(value: Any) -> str | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number or (isinstance(value, str) and value) else None
