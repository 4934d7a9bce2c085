"""`contactsdk fields`."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import attrs
import orjson
import typer

from contactsdk.cli.account import client_of
from contactsdk.cli.account_names import CUSTOM_FIELDS, GROUPS, Declared, ask, cannot_ask
from contactsdk.cli.env_file import EnvFile
from contactsdk.cli.exits import Exit, complain, errors_as_exits
from contactsdk.cli.options import Key, SecretFile, Url
from contactsdk.cli.text import printable
from contactsdk.errors import ContactError
from contactsdk.models import CustomFieldDefinition, Group


def fields(
    url: Url = "",
    key: Key = "",
    secret_file: SecretFile = None,
    env_file: EnvFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
) -> None:
    """List the account's subscription groups and custom fields, with their ids.

    A file of contacts may use their names instead of their ids: names of groups in its column of
    groups, and names of custom fields in its header.

    Exit code: 0 both were read, 2 wrong use, 3 one of them could not be read.
    """
    with errors_as_exits():
        declared = asyncio.run(ask(client_of(url, key, secret_file)))
        if text := _as_json(declared) if as_json else _as_tables(declared):
            typer.echo(text)
    problems = [
        cannot_ask(what, answer)
        for what, answer in ((GROUPS, declared.groups), (CUSTOM_FIELDS, declared.custom_fields))
        if isinstance(answer, ContactError)
    ]
    for problem in dict.fromkeys(problems):
        complain(problem)
    if problems:
        raise typer.Exit(Exit.STOPPED)


def _as_json(declared: Declared) -> str:
    found = {
        name: [_plain(item) for item in answer]
        for name, answer in (
            ("groups", declared.groups),
            ("custom_fields", declared.custom_fields),
        )
        if not isinstance(answer, ContactError)
    }
    return orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() if found else ""


def _plain(item: Group | CustomFieldDefinition) -> dict[str, Any]:
    values = attrs.asdict(item)
    if isinstance(item, CustomFieldDefinition):
        values["type"] = None if item.type is None else _type_name(item)
    return values


def _as_tables(declared: Declared) -> str:
    lines: list[str] = []
    if not isinstance(declared.groups, ContactError):
        lines += _table(
            "Subscription groups",
            ("id", "name", "members"),
            ((group.id, group.name, _or_blank(group.member_count)) for group in declared.groups),
        )
    if not isinstance(declared.custom_fields, ContactError):
        lines += _table(
            "Custom fields",
            ("id", "name", "type", "required", "options"),
            map(_row_of, declared.custom_fields),
        )
    return "\n".join(lines).rstrip()


def _row_of(field: CustomFieldDefinition) -> tuple[object, ...]:
    required = "yes" if field.is_required else "no"
    options = "; ".join(_option_text(option.value, option.label) for option in field.options)
    kind = _type_name(field) if field.is_active else f"{_type_name(field)}, not in use"
    return field.field_id, field.name, kind, required, options


def _type_name(field: CustomFieldDefinition) -> str:
    return "unknown" if field.type is None else field.type.name.lower().replace("_", " ")


def _option_text(value: str | int, label: str) -> str:
    return label if str(value) == label else f"{label} ({value})"


def _or_blank(number: int | None) -> object:
    return "" if number is None else number


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table with a title; one line that says `none` if there are no rows."""
    cells = [list(header), *([printable(cell) for cell in row] for row in rows)]
    if len(cells) == 1:
        return [f"{title}: none", ""]
    widths = [max(len(row[place]) for row in cells) for place in range(len(header))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
    return [title, *(f"  {line}" for line in lines), ""]
