"""What can go wrong, divided by what the caller can do next.

```
ContactError
├── InvalidContactError (also ValueError)   fix the contact; nothing was sent
├── RejectedError                           refused by the platform; sending it again cannot help
├── SetupError                              fix address, TLS or proxy; every call will fail
│   └── AuthenticationError                 fix key, secret or clock
├── RateLimitedError                        wait; nothing was applied
├── UnavailableError                        not applied, and may work later
└── UncertainError                          it MAY have been applied; look before resending
```

Errors are plain data: they survive `pickle` and `copy` with everything that was set on them, and
hold no secret, no response object and no contact. What aiohttp raised is the `__cause__`.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias, TypeVar

Path: TypeAlias = tuple[str | int, ...]
"""Where in a contact something is wrong, such as `("custom_fields", 1, "field_id")`."""


_Error = TypeVar("_Error", bound="ContactError")

DETAILS: Final = (
    "http_status",
    "error_code",
    "specific_code",
    "additional_messages",
    "retry_after_s",
    "attempts",
)
"""What a `ContactError` carries besides its message: the names of its attributes."""


class ContactError(Exception):
    """A contact was not, or may not have been, added or updated."""

    message: str
    """What is wrong: the platform's own message where it sent one. That may repeat what it was
    sent: show it to the contact's owner, do not log it."""
    http_status: int | None
    """The HTTP status; `None` if there was no answer."""
    error_code: int | str | None
    """The platform's `errorCode`; `None` if it sent none."""
    specific_code: int | None
    """The platform's `specificCode`; `None` if it sent none."""
    additional_messages: tuple[str, ...]
    """Further messages of the platform; empty if there are none."""
    retry_after_s: float | None
    """How many seconds the platform asked to wait, or the client's own rate limit asks; `None` if
    neither says."""
    attempts: int
    """How many attempts the call made, those included that the client itself held back since the
    platform is unavailable or throttling; 0 if none."""

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        error_code: int | str | None = None,
        specific_code: int | None = None,
        additional_messages: Iterable[str] = (),
        retry_after_s: float | None = None,
        attempts: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.http_status = http_status
        self.error_code = error_code
        self.specific_code = specific_code
        self.additional_messages = tuple(additional_messages)
        self.retry_after_s = retry_after_s
        self.attempts = attempts

    def __str__(self) -> str:
        return self.message

    def details(self) -> dict[str, Any]:
        """The values of `http_status`, `error_code`, `specific_code`, `additional_messages`,
        `retry_after_s` and `attempts`, by these names.
        """
        return {name: getattr(self, name) for name in DETAILS}


class InvalidContactError(ContactError, ValueError):
    """A contact that the platform could only refuse; nothing was sent."""

    errors: tuple[tuple[Path, str], ...]
    """All that is wrong, as (path, message) in the order of the fields; neither repeats a value of
    the contact."""

    def __init__(self, errors: Iterable[tuple[Path, str]]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(_sentence(path, what) for path, what in self.errors))
        # BaseException.__reduce__ calls the class with `args`, so they are what __init__ takes.
        self.args = (self.errors,)


class RejectedError(ContactError):
    """The platform refused this contact; sending it again cannot help."""


class SetupError(ContactError):
    """The set-up is wrong (address, TLS, proxy), so every call will fail."""


class AuthenticationError(SetupError):
    """The platform does not accept the key, the signature or the clock."""


class StaleDateError(AuthenticationError):
    """The request's date was too far from the platform's clock, which is known since its answer.

    Signed by that clock, the request may be sent again; a call never ends with this class.
    """


class RateLimitedError(ContactError):
    """Too many requests; nothing was applied. Wait, `retry_after_s` where the platform said."""


class UnavailableError(ContactError):
    """Not applied (never sent, or declined by a platform that is not ready); may work later."""


class UncertainError(ContactError):
    """No trustworthy answer came, so the contact MAY have been applied; look before resending."""


def converted(error: ContactError, kind: type[_Error], message: str) -> _Error:
    """The same details as an error of another kind, which has `error` as its cause."""
    other = kind(message, **error.details())
    other.__cause__ = error
    return other


class JournalError(Exception):
    """A journal cannot be used, or was made for another input.

    It is about the run, not about a contact, and so not a `ContactError`: `except ContactError`
    does not catch it.
    """

    number: int | None
    """The index of the first item of the input, from 0, that differs from the recorded one; `None`
    if the error is not about an item."""

    def __init__(self, message: str, *, number: int | None = None) -> None:
        super().__init__(message)
        self.number = number


def explanation(error: ContactError) -> str:
    """The message of an error, and the additional ones of the platform that say more.

    The platform's own message often says only which field is wrong, and an additional one why.
    """
    more = [text for text in error.additional_messages if text and text not in error.message]
    return "; ".join([error.message, *more])


def _sentence(path: Path, what: str) -> str:
    return f"{'.'.join(map(str, path))} {what}".lstrip()
