"""Checks of the arguments that callers pass."""

import math
import re
from typing import Final

from yarl import URL

_LOOPBACK: Final = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")


def check_count(name: str, value: int, most: int | None = None) -> None:
    """Refuse anything but a whole number from 1 to `most`; `None` for no upper limit.

    Raises:
        ValueError: `value` is anything else. The message says what the argument `name` must be.
    """
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not is_count or (most is not None and value > most):
        expected = "from 1" if most is None else f"from 1 to {most}"
        raise ValueError(f"{name} must be a whole number {expected}, not {value!r}")


def check_seconds(name: str, value: float) -> None:
    """Refuse anything but a positive, finite number of seconds.

    Raises:
        ValueError: `value` is anything else. The message says what the argument `name` must be.
    """
    check_positive(name, value, "a positive number of seconds")


def check_positive(name: str, value: float, expected: str = "a positive number") -> None:
    """Refuse anything but a positive, finite number.

    Raises:
        ValueError: `value` is anything else. The message says what the argument `name` must be.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be {expected}, not {value!r}")


def checked_base_url(base_url: str) -> URL:
    """Parse the address of the platform, such as `https://api.ap-southeast-2.ivvy.com`.

    Raises:
        ValueError: `base_url` is not such an address, or is plain http to another machine.
    """
    expected = "base_url must look like https://api.ap-southeast-2.ivvy.com"
    try:
        url = URL(base_url)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"{expected}: {exc}") from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{expected}: it needs https:// and a host")
    if url.query_string or url.fragment or url.user is not None or url.password is not None:
        raise ValueError(f"{expected}: without a query, a fragment or credentials")
    if url.scheme == "http" and not _LOOPBACK.fullmatch(url.host):
        raise ValueError(f"{expected}: plain http is allowed only to this machine")
    return url
