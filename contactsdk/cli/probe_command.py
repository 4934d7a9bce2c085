"""`contactsdk probe`."""

import asyncio
import secrets
from pathlib import Path
from typing import Annotated, Final

import typer

from contactsdk import __version__
from contactsdk.attempt import Requester
from contactsdk.cli.account import checked_credentials
from contactsdk.cli.env_file import EnvFile
from contactsdk.cli.exits import Exit, complain, errors_as_exits, fail
from contactsdk.cli.options import Key, SecretFile, Url
from contactsdk.cli.prompt import answer_is_yes, is_terminal
from contactsdk.cli.text import printable
from contactsdk.probe import MOST_REQUESTS, STEPS, Asker, Probe, Throwaway, as_json, as_table, probe
from contactsdk.signing import Credentials

MOST_S: Final = 60.0
"""For how many seconds a probe may last."""

sleep: Final = asyncio.sleep
"""The function with which the probe waits between requests."""


def probe_(
    url: Url = "",
    key: Key = "",
    secret_file: SecretFile = None,
    env_file: EnvFile = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write the findings to this file, .json, to attach to an issue; it holds no "
            "secret and no value of a contact."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before beginning.")] = False,
) -> None:
    """Check whether the platform behaves as this SDK assumes; use a test account if you have one.

    The probe adds one contact of its own and updates it; otherwise it only reads. It makes at most
    60 requests within a minute, and prints what was assumed and what was seen. Delete the contact
    afterwards: the probe cannot.

    Exit code: 0 all is as assumed, 1 something is not, 2 wrong use, 3 the probe ended early or you
    said no, 130 interrupted.
    """
    with errors_as_exits():
        if report is not None and report.suffix.lower() != ".json":
            fail(f"{report}: --report writes JSON: give it a name that ends in .json")
        if report is not None and not report.parent.is_dir():
            fail(f"{report.parent}: there is no such folder; make it first")
        credentials = checked_credentials(url, key, secret_file)
        if not yes:
            _ask(url)
        try:
            requester = _requester(url, credentials)
        except ValueError as exc:
            fail(str(exc))
        raise typer.Exit(_probed(requester, report))


def _ask(url: str) -> None:
    if not is_terminal():
        fail("the probe adds a contact to the account, and nobody can be asked: use --yes")
    question = (
        f"This adds one contact to the account at {printable(url)}, updates it, and makes at most "
        f"{MOST_REQUESTS} requests. Begin? [y/N] "
    )
    if not answer_is_yes(question):
        fail("nothing was sent", Exit.STOPPED)


def _requester(url: str, credentials: Credentials) -> Requester:
    return Requester(
        url,
        credentials,
        session=None,
        timeout_s=10.0,
        connect_timeout_s=5.0,
        max_connections=1,
        keepalive_s=4.0,
        trace_configs=(),
    )


def _probed(requester: Requester, report: Path | None) -> Exit:
    progress = Probe(Asker(requester, sleep), Throwaway(mark=secrets.token_hex(4)))
    why = asyncio.run(_within_a_minute(progress))
    findings = progress.findings()
    typer.echo(as_table(findings))
    if left := _left_behind(progress):
        typer.echo(f"\n{left}")
    if report is not None:
        page = as_json(findings, version=__version__, requests=progress.asker.requests)
        report.write_bytes(page)
    if why is not None:
        complain(f"ended early: {why}")
        return Exit.STOPPED
    return Exit.OK if all(it.is_as_assumed for it in findings) else Exit.SOME_FAILED


def _left_behind(progress: Probe) -> str:
    """Sentences about the contacts that a probe leaves on the account; empty if there are none."""
    name = progress.throwaway.last_name
    sentences = []
    match progress.added_ids:
        case [contact_id]:
            sentences.append(
                f"The contact of this probe stays on the account: its id is {contact_id}, its "
                f"last name {name}. Delete it there."
            )
        case [*several, last]:
            sentences.append(
                f"The contacts of this probe stay on the account: their ids are "
                f"{', '.join(map(str, several))} and {last}, their last name {name}. Delete them "
                "there."
            )
    if progress.may_have_added:
        another = "Another contact" if sentences else "A contact"
        sentences.append(
            f"{another} with the last name {name} may be on the account: look for it there, and "
            "delete it."
        )
    return " ".join(sentences)


async def _within_a_minute(progress: Probe) -> str | None:
    try:
        async with asyncio.timeout(MOST_S):
            return await probe(progress, STEPS)
    except TimeoutError:
        return f"it took {MOST_S:.0f} s, the most that a probe may take"
    finally:
        await progress.asker.requester.aclose()
