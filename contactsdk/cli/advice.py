"""What a person at a command line can do about a `ContactError`."""

import errno
from typing import Final

import aiohttp

from contactsdk.errors import AuthenticationError, ContactError

_CREDENTIALS: Final = (
    "check CONTACTSDK_KEY and CONTACTSDK_SECRET (or --key, --secret-file), and this machine's clock"
)
_NO_SANDBOX: Final = (
    "nothing listens at this address; is contactsdk sandbox running? If it was restarted, use the "
    "file that it wrote then: --env-file sandbox.env"
)
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
"""The names of this machine in an address."""


def with_advice(error: ContactError) -> str:
    """The message of an error, and what to do about it if that is known."""
    if isinstance(error, AuthenticationError):
        return f"{error}: {_CREDENTIALS}"
    if is_refused_here(error):
        return f"{error}: {_NO_SANDBOX}"
    return str(error)


def is_refused_here(error: ContactError) -> bool:
    """Whether nothing on this machine listens at the address."""
    match error.__cause__:
        case aiohttp.ClientConnectorError(host=host, os_error=OSError(errno=errno.ECONNREFUSED)):
            return host in LOOPBACK
    return False
