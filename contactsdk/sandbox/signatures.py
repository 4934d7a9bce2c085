"""Checks that a request is signed with the account's key and secret, and is fresh."""

import hashlib
import hmac
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from contactsdk.sandbox.replies import RefusedError
from contactsdk.sandbox.timestamps import read_timestamp

API_VERSION = "1.0"
FRESH_S = 300.0


def string_to_sign(target: str, headers: Mapping[str, str], content_md5: str) -> str:
    """The text that a client signs for a POST to `target`, the path and query as sent.

    `headers` must be a case-insensitive mapping. The Date header is used only if there is no
    IVVY-Date.
    """
    ivvy = sorted(
        (name.lower().replace("-", "").replace("_", ""), value)
        for name, value in headers.items()
        if name.lower().startswith("ivvy")
    )
    parts = (
        "POST",
        content_md5,
        headers.get("Content-Type", ""),
        "" if "IVVY-Date" in headers else headers.get("Date", ""),
        target,
        API_VERSION,
        "&".join(f"{name}={value}" for name, value in ivvy),
    )
    return "".join(parts).lower()


def signature(secret: str, text: str) -> str:
    """The hex HMAC-SHA1 of a string to sign."""
    # aiohttp turns bytes of headers that are not UTF-8 into lone surrogates.
    data = text.encode("utf-8", "surrogateescape")
    return hmac.new(secret.encode(), data, hashlib.sha1).hexdigest()


def verify(
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key: str,
    secret: str,
    now: float,
    stale_error_code: int = 401,
) -> None:
    """Accept a request if it was signed with this key and secret within five minutes of `now`.

    X-Api-Version may be missing, since the vendor's C# SDK does not send it.

    Raises:
        RefusedError: 401 if Content-MD5, X-Api-Version or the signature is wrong; with
            `stale_error_code` and specificCode 23005 if its date is stale, missing or cannot be
            read.
    """
    content_md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    if headers.get("Content-MD5") != content_md5:
        raise RefusedError(401, "Content-MD5 is not the MD5 of the body")
    if headers.get("X-Api-Version", API_VERSION) != API_VERSION:
        raise RefusedError(401, f"X-Api-Version must be {API_VERSION}")
    signed = signature(secret, string_to_sign(target, headers, content_md5))
    given = headers.get("X-Api-Authorization", "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, f"IWS {key}:{signed}".encode()):
        raise RefusedError(401, "Invalid API key or signature")
    sent_at = _sent_at(headers)
    if sent_at is None or abs(now - sent_at) > FRESH_S:
        raise RefusedError(stale_error_code, "Request is stale", 23005)


def _sent_at(headers: Mapping[str, str]) -> float | None:
    try:
        if "IVVY-Date" in headers:
            return read_timestamp(headers["IVVY-Date"])
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except ValueError:
        return None
