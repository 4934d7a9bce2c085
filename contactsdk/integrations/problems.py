"""Turns an error into an HTTP answer: problem details (RFC 9457), for any web framework.

```python
try:
    await client.add_or_update(contact)
except ContactError as error:
    problem = problem_from(error)  # answer with its status, headers and body
```

No answer holds a value of a contact, or a text of the platform, which may repeat one.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    InvalidContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
)
from contactsdk.retry import reason
from contactsdk.wire import platform_path

MEDIA_TYPE: Final = "application/problem+json"
"""The media type of a problem document."""


@frozen(kw_only=True)
class Problem:
    """The HTTP answer to a request that ended with a `ContactError`."""

    status: int
    """The HTTP status: 422, 500, 502 or 503."""

    headers: Mapping[str, str]
    """`Content-Type`, and `Retry-After` with a 503 where the platform said how long to wait."""

    document: Mapping[str, Any]
    """The problem as a JSON object: `type`, `title`, `status` and what `problem_from` says."""

    reason: str
    """The reason for a log: the kind of error and the platform's codes, no value of a contact."""

    @property
    def body(self) -> bytes:
        """The document as JSON in UTF-8; a character that UTF-8 cannot encode is escaped."""
        return json.dumps(dict(self.document)).encode("ascii")


def problem_from(error: ContactError) -> Problem:
    """The answer to a request that ended with this error.

    The `type` of the document is `urn:contactsdk:` followed by `invalid` or `rejected` (status
    422), `setup` or `authentication` (502), `rate-limited` or `unavailable` (503), or `uncertain`
    (500: after 502 to 504, a gateway may send a request again, which could add the contact twice).

    A document of type `invalid` has `errors`, each with the `loc` and `msg` of a field. One of type
    `rejected` has the platform's `specificCode` if there is one.
    """
    status, kind, title = _status_kind_title(error)
    document: dict[str, Any] = {"type": f"urn:contactsdk:{kind}", "title": title, "status": status}
    match error:
        case InvalidContactError():
            document["errors"] = [
                {"loc": platform_path(path), "msg": what} for path, what in error.errors
            ]
        case RejectedError(specific_code=int(code)):
            document["specificCode"] = code
    headers = {"Content-Type": MEDIA_TYPE}
    if status == 503 and error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return Problem(status=status, headers=headers, document=document, reason=reason(error))


def _status_kind_title(error: ContactError) -> tuple[int, str, str]:
    match error:
        case InvalidContactError():
            return 422, "invalid", "The contact is not valid; nothing was sent."
        case RejectedError():
            return 422, "rejected", "The platform refused the contact; do not send it again as is."
        case AuthenticationError():
            return 502, "authentication", "The platform does not accept this service; not applied."
        case SetupError():
            return 502, "setup", "This service is not set up to reach the platform; not applied."
        case RateLimitedError():
            return 503, "rate-limited", "Too many requests to the platform; not applied, try later."
        case UnavailableError():
            return 503, "unavailable", "The platform is not available; not applied, try later."
        case _:
            return 500, "uncertain", "The contact may have been applied; look before resending it."
