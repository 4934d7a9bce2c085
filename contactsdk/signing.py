"""How a request proves who sent it (platform documentation, "Signing").

A signature holds for five minutes around the platform's clock: sign each attempt anew, and last.
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
    """The key and secret of an account; neither ever shows, not even in `repr`.

    The platform's support hands out the pair (platform page, "Obtaining Keys").

    Raises:
        ValueError: One is empty, the key holds what a header cannot carry, or the secret is not
            UTF-8 text.
        TypeError: One is not a string.
    """

    key: str = field(repr=False)
    """The API key; it is sent with each request."""
    secret: str = field(repr=False)
    """What each request is signed with; it is never sent."""
    # To take the key in is most of the work of a signature.
    _keyed: hmac.HMAC = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        # Not attrs' instance_of, whose error repeats the value.
        if not isinstance(self.key, str) or not isinstance(self.secret, str):
            raise TypeError("credentials: key and secret must be strings")
        if not self.key or not self.secret:
            raise ValueError("credentials: key and secret must not be empty")
        if not (self.key.isascii() and self.key.isprintable()) or set(self.key) & set(" :"):
            raise ValueError("credentials: a key is printable ASCII without spaces or colons")
        # Bytes of the environment that are not UTF-8 come as lone surrogates.
        if any("\ud800" <= char <= "\udfff" for char in self.secret):
            raise ValueError("credentials: the secret is not UTF-8 text")
        object.__setattr__(self, "_keyed", hmac.new(self.secret.encode(), digestmod="sha1"))

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.key, self.secret)  # a keyed hash cannot be pickled

    def signature(self, text: str) -> str:
        """Hex HMAC-SHA1 of `text` under the secret."""
        mac = self._keyed.copy()
        mac.update(text.encode())
        return mac.hexdigest()


def sign(
    credentials: Credentials | None, body: bytes, *, target: str, now: float
) -> CIMultiDict[str]:
    """All headers that the platform asks for, with a signature made at `now`.

    `target` is the path with its query as it goes out; `now` is in seconds since the epoch, by the
    platform's clock. With `None` for credentials (a gateway signs), the rest is still there.
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


# What aiohttp keeps headers in, with names already folded: from a dict of strings it would fold
# each name three times.
_ALWAYS: Final = CIMultiDict(
    {istr("Content-Type"): CONTENT_TYPE, istr("X-Api-Version"): API_VERSION}
)
_EMPTY_MD5: Final = hashlib.md5(usedforsecurity=False)  # copied in half the time of a new one
_CONTENT_MD5: Final = istr("Content-MD5")
_IVVY_DATE: Final = istr("IVVY-Date")
_AUTHORIZATION: Final = istr("X-Api-Authorization")


@functools.lru_cache(maxsize=4)
def _ivvy_date(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


def string_to_sign(content_md5: str, ivvy_date: str, target: str) -> str:
    """The parts of a request that its signature covers, lower-cased as a whole.

    The place of the Date header stays empty, since IVVY-Date is sent instead.
    """
    ivvy_headers = f"ivvydate={ivvy_date}"
    return f"POST{content_md5}{CONTENT_TYPE}{target}{API_VERSION}{ivvy_headers}".lower()
