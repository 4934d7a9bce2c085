"""`contactsdk sandbox`."""

import asyncio
import errno
import math
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from contactsdk.cli.env_file import env_text
from contactsdk.cli.exits import errors_as_exits, fail
from contactsdk.cli.interruption import Interruption
from contactsdk.sandbox import (
    Fault,
    FaultKind,
    FieldDefinition,
    FieldType,
    Guesses,
    RateLimit,
    Request,
    outcome_of,
)
from contactsdk.sandbox.definitions import definition_of, definitions_of
from contactsdk.sandbox.guesses import ANSWERS, QUESTIONS
from contactsdk.sandbox.timestamps import timestamp

if TYPE_CHECKING:
    from contactsdk.sandbox import Sandbox

_FIELD_TYPES: Final = ", ".join(it.value.replace(" ", "-") for it in FieldType)
_CLOCK_OFF_S: Final = 3600.0
_KINDS: Final[Mapping[str, FaultKind]] = {kind.value.replace(" ", "-"): kind for kind in FaultKind}


def sandbox(
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="NUMBER", help="0 takes a free one.")
    ] = 8080,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    env_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write address, key and secret here; the other commands take it as --env-file.",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print a line for each request, on standard error.")
    ] = False,
    latency: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to wait before each answer.")
    ] = 0.0,
    rate_limit: Annotated[
        float | None,
        typer.Option(metavar="PER_SECOND", help="Throttle requests above this rate."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=SHARE",
            help="Let this share of the requests go wrong, such as throttled=0.03; can be "
            f"repeated. Kinds: {', '.join(_KINDS)}.",
        ),
    ] = None,
    retry_after: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Send a Retry-After of this time with the faults throttled and unavailable.",
        ),
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IDS",
            help="The account's groups, separated by commas, with or without names: "
            "10=Newsletter,11. Without it, any group is accepted.",
        ),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELDS|FILE",
            help="The account's custom fields, separated by commas, with the type after a colon if "
            f"it is not small-text: 101=Diet,102=Birthday:date. Types: {_FIELD_TYPES}. Or a file "
            "with the JSON of getCustomFieldDefinition, which can also list the options of select "
            "fields (selectValues). Without it, any field is accepted.",
        ),
    ] = None,
    batch_rate: Annotated[
        float | None,
        typer.Option(
            metavar="PER_SECOND",
            help="How many contacts of a batch are applied per second; without it, all at once.",
        ),
    ] = None,
    list_lag: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="How long after a write lists do not yet show it."),
    ] = 0.0,
    guess: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=ANSWER",
            help="Change what the sandbox does where the platform's pages do not say what the "
            "platform does; see --list-guesses.",
        ),
    ] = None,
    list_guesses: Annotated[
        bool, typer.Option("--list-guesses", help="Print each guess and its answers, and exit.")
    ] = False,
) -> None:
    """Run a stand-in for the platform on this machine until Ctrl-C.

    Open its address in a browser to see what has arrived. The key and the secret are taken from
    CONTACTSDK_KEY and CONTACTSDK_SECRET; if these are not set, new ones are made.
    """
    # Here, since the other commands are not to wait for the import of a server.
    from contactsdk.sandbox import Sandbox

    if list_guesses:
        typer.echo("\n".join(_guess_lines()))
        raise typer.Exit
    if retry_after is not None:
        _at_least_0("--retry-after", retry_after)
    faults = _faults(fault or (), retry_after)
    platform = Sandbox(
        host=host,
        port=port,
        key=os.environ.get("CONTACTSDK_KEY") or None,
        secret=os.environ.get("CONTACTSDK_SECRET") or None,
        latency_s=_at_least_0("--latency", latency),
        rate_limit=None
        if rate_limit is None
        else RateLimit(
            per_s=_above_0("--rate-limit", rate_limit), retry_after=retry_after is not None
        ),
        groups=_groups(groups),
        custom_fields=None if fields is None else _fields(fields),
        batch_rate_per_s=None if batch_rate is None else _above_0("--batch-rate", batch_rate),
        list_lag_s=_at_least_0("--list-lag", list_lag),
        guesses=_guesses(guess or ()),
        on_answer=_print_line if verbose else None,
    )
    try:
        platform.mix_shares(0, faults)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--fault") from exc
    with errors_as_exits():
        try:
            asyncio.run(_run(platform, env_file, shows_hint=verbose or sys.stderr.isatty()))
        except BrokenPipeError:
            raise
        except OSError as exc:
            # asyncio's own text repeats the address. A host name that is not found has no errno
            # above 0.
            why = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
            free = "; --port 0 takes a free one" if exc.errno == errno.EADDRINUSE else ""
            fail(f"cannot listen on {host} port {port}: {why}{free}")


async def _run(platform: "Sandbox", env_file: Path | None, *, shows_hint: bool) -> None:
    stop = asyncio.Event()
    with Interruption(stop.set):
        async with platform:
            text = env_text((platform.url, platform.key, platform.secret))
            print(text, end="", flush=True)
            if env_file is not None:
                _write(env_file, text)
            if shows_hint:
                typer.echo(f"Open {platform.url} in a browser to see what arrives.", err=True)
                if env_file is not None:
                    typer.echo(
                        f"In another window: contactsdk ping --env-file {env_file}", err=True
                    )
            await stop.wait()


def _write(env_file: Path, text: str) -> None:
    try:
        env_file.write_text(text, "utf-8")
    except OSError as exc:
        fail(f"{env_file}: {exc.strerror}")


def _print_line(request: Request) -> None:
    at = timestamp(request.arrived_at).partition(" ")[2]
    # The program that reads the lines may have ended; the request must not fail because of it.
    with suppress(OSError):
        typer.echo(f"{at} {request.action}: {outcome_of(request)}", err=True)


def _guess_lines() -> Iterable[str]:
    for name, question in QUESTIONS.items():
        default, *others = ANSWERS[name]
        yield f"{name}={default} (or {', '.join(others)})\n    {question}"


def _guesses(settings: Iterable[str]) -> Guesses:
    try:
        return Guesses.read(settings)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--guess") from exc


def _faults(settings: Iterable[str], retry_after_s: float | None) -> dict[Fault, float]:
    shares: dict[Fault, float] = {}
    for setting in settings:
        name, _, share = setting.partition("=")
        if name not in _KINDS:
            raise typer.BadParameter(
                f"{name!r} is not a kind of fault; the kinds are {', '.join(_KINDS)}",
                param_hint="--fault",
            )
        try:
            shares[_fault(_KINDS[name], retry_after_s)] = float(share)
        except ValueError as exc:
            raise typer.BadParameter(
                f"{setting!r} must end in a share, such as {name}=0.1", param_hint="--fault"
            ) from exc
    return shares


def _fault(kind: FaultKind, retry_after_s: float | None) -> Fault:
    match kind:
        case FaultKind.CLOCK_OFF:
            return Fault(kind, clock_off_s=_CLOCK_OFF_S)
        case FaultKind.THROTTLED | FaultKind.UNAVAILABLE:
            return Fault(kind, retry_after_s=retry_after_s)
        case _:
            return Fault(kind)


def _groups(given: Iterable[str] | None) -> dict[int, str] | None:
    if given is None:
        return None
    groups = {}
    for item in filter(None, (part.strip() for part in ",".join(given).split(","))):
        number, _, name = item.partition("=")
        if not (number.isascii() and number.isdecimal()):
            raise typer.BadParameter(f"{item!r} must begin with an id", param_hint="--groups")
        groups[int(number)] = name or f"Group {number}"
    return groups


def _fields(given: Iterable[str]) -> dict[int, FieldDefinition]:
    fields: dict[int, FieldDefinition] = {}
    for item in given:
        if _is_in_short(item):
            fields.update(_fields_in_short(item))
        else:
            fields.update(_fields_of_file(Path(item)))
    return fields


def _is_in_short(item: str) -> bool:
    return "=" in item and not Path(item).exists()


def _fields_in_short(item: str) -> dict[int, FieldDefinition]:
    try:
        return dict(map(definition_of, filter(str.strip, item.split(","))))
    except ValueError as exc:
        raise typer.BadParameter(f"{item!r}: {exc}", param_hint="--fields") from exc


def _fields_of_file(file: Path) -> dict[int, FieldDefinition]:
    try:
        return definitions_of(file.read_bytes())
    except OSError as exc:
        fail(f"{file}: {exc.strerror}")
    except ValueError as exc:
        fail(f"{file}: {exc}")


def _above_0(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise typer.BadParameter("must be more than 0", param_hint=name)
    return value


def _at_least_0(name: str, value: float) -> float:
    if not 0 <= value < math.inf:
        raise typer.BadParameter("must be at least 0", param_hint=name)
    return value
