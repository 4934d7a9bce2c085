"""`contactsdk ping`."""

import asyncio
import time
from typing import Final

import typer

from contactsdk.cli.account import client_of
from contactsdk.cli.advice import with_advice
from contactsdk.cli.env_file import EnvFile
from contactsdk.cli.exits import Exit, errors_as_exits, fail
from contactsdk.cli.options import Key, SecretFile, Url
from contactsdk.client import ContactClient
from contactsdk.errors import ContactError

DEADLINE_S: Final = 20.0
"""For how many seconds the command waits for an answer, retries included."""


def ping(
    url: Url = "", key: Key = "", secret_file: SecretFile = None, env_file: EnvFile = None
) -> None:
    """Check the address, key and secret, and compare this machine's clock with the platform's.

    Exit code: 0 they work, 2 wrong use, 3 they do not work, 130 interrupted.
    """
    with errors_as_exits():
        client = client_of(url, key, secret_file)
        try:
            ahead_s = asyncio.run(_clock_ahead_s(client))
        except ContactError as exc:
            fail(with_advice(exc), Exit.STOPPED)
    typer.echo("Address, key and secret work.")
    typer.echo(f"The platform's clock is {_apart(ahead_s)} this machine's.")


async def _clock_ahead_s(client: ContactClient) -> float:
    async with client:
        before = time.time()
        platform_now = await client.ping(deadline_s=DEADLINE_S)
        middle = (before + time.time()) / 2
    # The platform cuts off fractions of a second, so its time is half a second later on average.
    return platform_now.timestamp() + 0.5 - middle


def _apart(ahead_s: float) -> str:
    if abs(ahead_s) < 1.0:
        return "less than a second from"
    return f"{abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'}"
