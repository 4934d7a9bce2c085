"""The options with which an input is read, made of arguments of the command line and checked."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from contactsdk.errors import InvalidContactError
from contactsdk.field_values import DateOrder
from contactsdk.files.cells import CellError
from contactsdk.files.column_plan import ColumnRules
from contactsdk.files.columns import Column, target_of
from contactsdk.files.contacts import ContactMaker
from contactsdk.files.custom_values import AskCustomFields, AskGroups, KnownNames, not_known
from contactsdk.files.formats import FileError, Format
from contactsdk.files.readers import Readers

_TABLE: Final = "map"


@frozen(kw_only=True)
class InputOptions:
    """How an input is to be read; made by `input_options`."""

    format: Format | None = None
    """The format, if the user gave it; `None` detects it by the content and the name."""
    sheet: str | None = None
    """The sheet of a workbook; `None` is the first sheet that has rows."""
    header_row: int | None = None
    """The number of the row that names the columns; `None` is the first that is not empty."""
    encoding: str | None = None
    """The encoding of a text file; `None` detects it."""
    rules: ColumnRules = field(factory=ColumnRules)
    """What the user's options say about the columns."""
    readers: Readers = field(factory=Readers)
    """How the cells of each column are read."""
    defaults: tuple[tuple[Column, Any], ...] = ()
    """The values of `--set`, for rows that have none of their own."""
    update_if_exists: bool = False
    """Whether a row that is an add updates the contact with the same name and email, if there is
    one."""


def input_options(
    *,
    format: Format | None = None,
    sheet: str | None = None,
    header_row: int | None = None,
    encoding: str | None = None,
    maps: Iterable[str] = (),
    map_file: str | Path | None = None,
    ignored: Iterable[str] = (),
    ignore_unknown: bool = False,
    sets: Iterable[str] = (),
    update_if_exists: bool = False,
    date_order: DateOrder | None = None,
    ask_groups: AskGroups = not_known,
    ask_custom_fields: AskCustomFields = not_known,
) -> InputOptions:
    """The options that these arguments of a command line mean.

    `maps` are texts such as `E-mail 1 - Value=email`; the last `=` divides them. `sets` are texts
    such as `groups=10;11`; the first `=` divides them. `ignored` are names of columns; one text may
    have several, divided by commas. `map_file` is a TOML file with more `maps`.

    `ask_groups` and `ask_custom_fields` return what the account has. Each is called once at most,
    and only if the options or the input have groups, custom fields or an unknown column.

    Raises:
        FileError: One of the arguments is wrong; the message names it.
    """
    names = KnownNames(
        ask_groups=ask_groups, ask_custom_fields=ask_custom_fields, date_order=date_order
    )
    pairs = [_pair("--map", text, last=True) for text in maps]
    if map_file is not None:
        pairs = [*_read_maps(Path(map_file)), *pairs]
    rules = ColumnRules(
        maps=tuple((header, _target(header, target, names)) for header, target in pairs),
        ignored=tuple(ignored),
        ignore_unknown=ignore_unknown,
        names=names,
    )
    readers = Readers(names=names)
    return InputOptions(
        format=format,
        sheet=sheet,
        header_row=header_row,
        encoding=encoding,
        rules=rules,
        readers=readers,
        defaults=tuple(_default(text, readers) for text in sets),
        update_if_exists=update_if_exists,
    )


def _pair(option: str, text: str, *, last: bool) -> tuple[str, str]:
    left, sign, right = text.rpartition("=") if last else text.partition("=")
    if not (left.strip() and sign and right.strip()):
        example = '"E-mail 1 - Value=email"' if last else '"groups=10;11"'
        raise FileError(f'{option} "{text}": write it as {option} {example}')
    return left.strip(), right.strip()


def _read_maps(path: Path) -> list[tuple[str, str]]:
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise FileError(f"{path}: this is not TOML: {exc}") from exc
    table = content.pop(_TABLE, {})
    pairs = {**content, **table} if isinstance(table, dict) else {**content, _TABLE: table}
    for header, target in pairs.items():
        if not isinstance(target, str):
            raise FileError(f'{path}: write each column as "its header" = "field"; see {header!r}')
    return list(pairs.items())


def _target(header: str, target: str, names: KnownNames) -> Column:
    try:
        column = target_of(target, names)
        problem = _problem_of(column, names)
    except FileError as exc:
        raise FileError(f'--map "{header}={target}": {exc}') from exc
    if problem:
        raise FileError(f'--map "{header}={target}": {problem}')
    return column


def _default(text: str, readers: Readers) -> tuple[Column, Any]:
    name, cell = _pair("--set", text, last=False)
    try:
        column = target_of(name, readers.names)
    except FileError as exc:
        raise FileError(f'--set "{text}": {exc}') from exc
    if column.field in ("id", "full_name"):
        raise FileError(
            f'--set "{text}": every contact needs its own {column.field}, so it cannot be set'
        )
    if problem := _problem_of(column, readers.names):
        raise FileError(f'--set "{text}": {problem}')
    try:
        value = readers.of(column)(cell)
    except CellError as exc:
        raise FileError(f'--set "{text}": {name} {exc}') from exc
    _check_value(text, column, value)
    return column, value


def _check_value(text: str, column: Column, value: Any) -> None:
    if value is None:
        raise FileError(f'--set "{text}": there is no value after the =')
    # Checked in an update, since an add would also require a name and an email.
    item = ContactMaker.of_defaults(((Column("id"), 1), (column, value)))
    if isinstance(item, InvalidContactError):
        raise FileError(f'--set "{text}": {item.message}')


def _problem_of(column: Column, names: KnownNames) -> str | None:
    if column.field != "custom_fields" or not isinstance(column.key, int):
        return None
    return names.problem_of(column.key, column.part)


def for_json(options: InputOptions) -> InputOptions:
    """The same options for JSON, where one key may hold all custom fields or all links."""
    return evolve(options, rules=evolve(options.rules, whole=True))
