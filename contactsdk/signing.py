"""Signs requests, which proves who sent them (platform documentation, "Signing").

A signature is valid only within five minutes of the platform's clock. So each attempt is signed
again, as late as possible.
"""

import functools
import hashlib
import hmac
import time
from typing import Final

from attrs import field, frozen
from multidict import CIMultiDict, istr

API_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json"


@frozen
class Credentials:
    """The key and secret of an account; neither of them is ever shown, not even in `repr`.

    You get both from the platform's support (platform page, "Obtaining Keys").

    Raises:
        ValueError: One of them is empty, the key has characters that a header cannot carry, or the
            secret is not UTF-8 text.
        TypeError: One of them is not a string.
    """

    key: str = field(repr=False)
    """The API key; it is sent with each request."""
    secret: str = field(repr=False)
    """The secret with which each request is signed; it is never sent."""
    # Preparing the HMAC with the secret is most of the work of a signature, so it is done once.
    _keyed: hmac.HMAC = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        # The error of attrs' `instance_of` would repeat the value.
        if not isinstance(self.key, str) or not isinstance(self.secret, str):
            raise TypeError("credentials: key and secret must be strings")
        if not self.key or not self.secret:
            raise ValueError("credentials: key and secret must not be empty")
        if not (self.key.isascii() and self.key.isprintable()) or set(self.key) & set(" :"):
            raise ValueError("credentials: a key is printable ASCII without spaces or colons")
        # Python decodes bytes of the environment that are not UTF-8 as lone surrogates.
        if any("\ud800" <= char <= "\udfff" for char in self.secret):
            raise ValueError("credentials: the secret is not UTF-8 text")
        object.__setattr__(self, "_keyed", hmac.new(self.secret.encode(), digestmod="sha1"))

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.key, self.secret)  # an HMAC object cannot be pickled

    def signature(self, text: str) -> str:
        """The HMAC-SHA1 of `text` with the secret, in hexadecimal digits."""
        mac = self._keyed.copy()
        mac.update(text.encode())
        return mac.hexdigest()


def sign(
    credentials: Credentials | None, body: bytes, *, target: str, now: float
) -> CIMultiDict[str]:
    """All headers that the platform requires, with a signature for the time `now`.

    `target` is the path and query exactly as they are sent. `now` is in seconds since the epoch, by
    the platform's clock. If `credentials` is `None`, since a gateway signs, the headers have no
    signature.
    """
    md5 = _EMPTY_MD5.copy()
    md5.update(body)
    content_md5 = md5.hexdigest()
    ivvy_date = _ivvy_date(int(now))
    headers = _ALWAYS.copy()
    headers[_CONTENT_MD5] = content_md5
    headers[_IVVY_DATE] = ivvy_date
    if credentials is not None:
        signature = credentials.signature(string_to_sign(content_md5, ivvy_date, target))
        headers[_AUTHORIZATION] = f"IWS {credentials.key}:{signature}"
    return headers


# These are aiohttp's own types for headers. With a plain dict it would fold each name three times.
_ALWAYS: Final = CIMultiDict(
    {istr("Content-Type"): CONTENT_TYPE, istr("X-Api-Version"): API_VERSION}
)
# Copying this object takes half the time of making a new one.
_EMPTY_MD5: Final = hashlib.md5(usedforsecurity=False)
_CONTENT_MD5: Final = istr("Content-MD5")
_IVVY_DATE: Final = istr("IVVY-Date")
_AUTHORIZATION: Final = istr("X-Api-Authorization")


@functools.lru_cache(maxsize=4)
def _ivvy_date(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


def string_to_sign(content_md5: str, ivvy_date: str, target: str) -> str:
    """The parts of a request that its signature covers, all in lower case.

    The part for the Date header is empty, since IVVY-Date is sent instead.
    """
    ivvy_headers = f"ivvydate={ivvy_date}"
    return f"POST{content_md5}{CONTENT_TYPE}{target}{API_VERSION}{ivvy_headers}".lower()
