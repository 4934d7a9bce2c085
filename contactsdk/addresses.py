"""Where the platform is: the address that was given, and those of its actions."""

import re
from typing import Final

from yarl import URL

from contactsdk.signing import API_VERSION

_LOOPBACK: Final = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1")


def checked_base_url(base_url: str) -> URL:
    """The address of the platform, such as `https://api.ap-southeast-2.ivvy.com`.

    Raises:
        ValueError: It is none, or it is plain http to another machine.
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
        raise ValueError(f"{expected}: plain http is for this machine alone")
    return url


def action_url(base: URL, namespace: str, action: str) -> URL:
    """The address of one action, as it goes out: signing and sending must agree on its spelling."""
    path = f"{base.raw_path.rstrip('/')}/api/{API_VERSION}/{namespace}"
    return base.join(URL(f"{path}?action={action}", encoded=True))
