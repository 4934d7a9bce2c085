"""The account on the command line: its address, key and secret."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from contactsdk.cli.advice import LOOPBACK
from contactsdk.cli.env_file import VARIABLES
from contactsdk.cli.exits import fail
from contactsdk.client import ContactClient
from contactsdk.retry import RetryPolicy
from contactsdk.signing import Credentials


def client_of(
    url: str,
    key: str,
    secret_file: Path | None,
    concurrency: int = 1,
    *,
    settle_s: float | None = None,
) -> ContactClient:
    """A client for the account that the options or the environment name.

    `concurrency` is how many requests may be in flight; `settle_s` is as in `RetryPolicy`.

    Raises:
        typer.Exit: The address, the key or the secret is missing or wrong.
    """
    credentials = checked_credentials(url, key, secret_file)
    try:
        policy = RetryPolicy(settle_s=settle_s)
        most = max(100, concurrency)
        return ContactClient(url, credentials, retry=policy, max_connections=most)
    except ValueError as exc:
        # A user of the command knows the address by this name.
        fail(str(exc).replace("base_url", "CONTACTSDK_URL (or --url)"))


def checked_credentials(url: str, key: str, secret_file: Path | None) -> Credentials:
    """The key and secret of the account that the options or the environment name.

    Raises:
        typer.Exit: The address, the key or the secret is missing, or the key or the secret is
            wrong.
    """
    secret = secret_of(secret_file)
    needed = {
        "CONTACTSDK_URL (or --url)": url,
        "CONTACTSDK_KEY (or --key)": key,
        "CONTACTSDK_SECRET (or --secret-file)": secret,
    }
    if missing := [name for name, value in needed.items() if not value]:
        fail(f"missing: {', '.join(missing)}{_hint()}")
    try:
        return Credentials(key, secret)
    except ValueError as exc:
        fail(str(exc))


def secret_of(file: Path | None) -> str:
    """The secret in `file`, or in the environment if `file` is `None`; empty if neither has one.

    Raises:
        typer.Exit: The file cannot be read.
    """
    if file is None:
        return os.environ.get("CONTACTSDK_SECRET", "")
    try:
        return file.read_text("utf-8").removesuffix("\n")
    except OSError as exc:
        fail(f"{file}: {exc.strerror}")
    except UnicodeDecodeError:
        fail(f"{file}: the secret is not UTF-8 text")  # the error's own text shows a byte of it


def address_shown(url: str) -> str:
    """The platform's address for a reader; it says so if the address is on this machine.

    So nobody mistakes a live account for a sandbox. A user and a password are left out.
    """
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
    return f"{place} (this machine)" if parts.hostname in LOOPBACK else place


def _hint() -> str:
    empty = [name for name in VARIABLES if os.environ.get(name) == ""]
    what = f". Set, but empty: {', '.join(empty)}" if empty else ""
    # People often read the file of `contactsdk sandbox > sandbox.env` while it is still empty.
    if empty or not any(name in os.environ for name in VARIABLES):
        what += (
            ". No account? `contactsdk sandbox --env-file sandbox.env`, in a window of its own, "
            "plays the platform; then add --env-file sandbox.env to this command"
        )
    return what
