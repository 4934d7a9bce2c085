"""What a user says about an input: read from the command line's words, and checked at once."""

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
    """Its format, where the user says it; else its content and its name tell."""
    sheet: str | None = None
    """The sheet of a workbook; `None` is the first with rows."""
    header_row: int | None = None
    """The number of the row that names the columns; `None` is the first that is filled."""
    encoding: str | None = None
    """The encoding of text; `None` is recognised."""
    rules: ColumnRules = field(factory=ColumnRules)
    """What the columns hold."""
    readers: Readers = field(factory=Readers)
    """How their cells are read."""
    defaults: tuple[tuple[Column, Any], ...] = ()
    """Values for each row that has none, by `--set`."""
    update_if_exists: bool = False
    """Whether each row that is an add updates a contact that is there already."""


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
    """The options that these words of a command line mean.

    `maps` are such as `E-mail 1 - Value=email`, divided by the last `=`; `sets` such as
    `groups=10;11`, divided by the first. `ignored` names columns, or several divided by commas.
    `ask_groups` and `ask_custom_fields` give what the account has; each is called once at most,
    and only if the options or the input speak of groups, of custom fields, or of what nobody knows.

    Raises:
        FileError: One of them means nothing; the message names it.
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
        raise FileError(f'--set "{text}": one {column.field} cannot be that of each contact')
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
        raise FileError(f'--set "{text}": there is no value')
    # An update of any contact, so that nothing else is required.
    item = ContactMaker.of_defaults(((Column("id"), 1), (column, value)))
    if isinstance(item, InvalidContactError):
        raise FileError(f'--set "{text}": {item.message}')


def _problem_of(column: Column, names: KnownNames) -> str | None:
    if column.field != "custom_fields" or not isinstance(column.key, int):
        return None
    return names.problem_of(column.key, column.part)


def for_json(options: InputOptions) -> InputOptions:
    """The same options for JSON, where one key may hold all custom fields."""
    return evolve(options, rules=evolve(options.rules, whole=True))
