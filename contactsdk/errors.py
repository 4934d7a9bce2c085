"""All errors of the SDK, divided by what the caller can do next.

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

Errors are plain data: they survive `pickle` and `copy` with all their attributes. They hold no
secret, no response object and no contact. The `__cause__` is the exception of aiohttp, if there was
one.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias, TypeVar

Path: TypeAlias = tuple[str | int, ...]
"""The place of a wrong value in a contact, such as `("custom_fields", 1, "field_id")`."""


_Error = TypeVar("_Error", bound="ContactError")

DETAILS: Final = (
    "http_status",
    "error_code",
    "specific_code",
    "additional_messages",
    "retry_after_s",
    "attempts",
)
"""The names of the attributes that a `ContactError` has besides its message."""


class ContactError(Exception):
    """A contact was not, or may not have been, added or updated."""

    message: str
    """What is wrong: the platform's own message, if it sent one. That message may repeat values of
    the contact: you may show it to the contact's owner, but do not log it."""
    http_status: int | None
    """The HTTP status; `None` if there was no answer."""
    error_code: int | str | None
    """The platform's `errorCode`; `None` if it sent none."""
    specific_code: int | None
    """The platform's `specificCode`; `None` if it sent none."""
    additional_messages: tuple[str, ...]
    """Further messages of the platform; empty if there are none."""
    retry_after_s: float | None
    """How many seconds to wait, as the platform or the client's own pacer asked; `None` if neither
    did."""
    attempts: int
    """How many attempts the call made; 0 if none. Attempts that the client held back, because the
    platform is unavailable or throttling, are included."""

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
    """A contact that the platform would refuse; nothing was sent."""

    errors: tuple[tuple[Path, str], ...]
    """All that is wrong with the contact, as (path, message) pairs in the order of the fields.
    Neither of the two repeats a value of the contact."""

    def __init__(self, errors: Iterable[tuple[Path, str]]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(_sentence(path, what) for path, what in self.errors))
        # BaseException.__reduce__ calls the class with `args`, so they are the arguments here.
        self.args = (self.errors,)


class RejectedError(ContactError):
    """The platform refused this contact; sending it again cannot help."""


class SetupError(ContactError):
    """The set-up is wrong (address, TLS, proxy), so every call will fail."""


class AuthenticationError(SetupError):
    """The platform does not accept the key, the signature or the clock."""


class StaleDateError(AuthenticationError):
    """The date of the request was too far from the platform's clock.

    The answer tells the platform's time, so the request can be signed again with that time and
    repeated. A call never ends with this class.
    """


class RateLimitedError(ContactError):
    """Too many requests; nothing was applied. Wait for `retry_after_s`, if it is known."""


class UnavailableError(ContactError):
    """Not applied (never sent, or declined by a platform that is not ready); may work later."""


class UncertainError(ContactError):
    """No trustworthy answer came, so the contact MAY have been applied; look before resending."""


def converted(error: ContactError, kind: type[_Error], message: str) -> _Error:
    """An error of class `kind` with the details of `error`, which is its cause."""
    other = kind(message, **error.details())
    other.__cause__ = error
    return other


class JournalError(Exception):
    """A journal cannot be used, or was made for another input.

    This error is about a run and not about a contact, so it is not a `ContactError`: `except
    ContactError` does not catch it.
    """

    number: int | None
    """The index, from 0, of the first input item that differs from the recorded one or is missing;
    `None` if the error is not about an item."""

    def __init__(self, message: str, *, number: int | None = None) -> None:
        super().__init__(message)
        self.number = number


def explanation(error: ContactError) -> str:
    """The message of an error, with those additional messages of the platform that say more.

    The platform's message often says only which field is wrong, and an additional message says why.
    """
    more = [text for text in error.additional_messages if text and text not in error.message]
    return "; ".join([error.message, *more])


def _sentence(path: Path, what: str) -> str:
    return f"{'.'.join(map(str, path))} {what}".lstrip()
