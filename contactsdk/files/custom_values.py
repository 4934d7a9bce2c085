"""Finds the account's groups and custom fields by name, and reads custom fields by their type.

Changes that a spreadsheet makes to a value are undone here; `field_values` does the rest.
"""

import datetime
import re
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any, Final, TypeAlias

from attrs import frozen

from contactsdk.field_values import (
    ADDRESS_PARTS,
    Converter,
    DateOrder,
    DateOrderError,
    converter_of,
    listing,
)
from contactsdk.files.cells import CellError, CellReader, as_whole_number, parts_of, text_of
from contactsdk.models import CustomFieldDefinition, FieldType, Group
from contactsdk.naming import AccountNames

AskGroups: TypeAlias = Callable[[], Iterable[Group] | None]
"""Returns the account's groups; `None` if they are not known."""
AskCustomFields: TypeAlias = Callable[[], Iterable[CustomFieldDefinition] | None]
"""Returns the account's custom fields; `None` if they are not known."""

# Such as 2024/12/31: the order of a date that begins with the year is clear.
_YEAR_FIRST: Final = re.compile(r"([0-9]{4})([/.])([0-9]{1,2})\2([0-9]{1,2})(?=$|[T ])")
_SEVERAL_GROUPS: Final = "where a cell lists several, divide them by ; or ,"
_DAY_NUMBER: Final = re.compile(r"[0-9]{1,6}")


def not_known() -> None:
    """Return `None`, like `AskGroups` and `AskCustomFields` for an account that is not known."""
    return


@frozen(kw_only=True)
class KnownNames:
    """The account's groups and custom fields; each is asked for once, when it is first needed.

    If they are not known, any id is accepted, and no name.
    """

    ask_groups: AskGroups = not_known
    ask_custom_fields: AskCustomFields = not_known
    date_order: DateOrder | None = None
    """The order of day, month and year in dates; `None` accepts only yyyy-mm-dd."""

    @cached_property
    def groups(self) -> AccountNames | None:
        """The account's groups; `None` if they are not known."""
        groups = self.ask_groups()
        return None if groups is None else AccountNames(groups=groups)

    @cached_property
    def custom_fields(self) -> AccountNames | None:
        """The account's custom fields; `None` if they are not known, or if it lists none."""
        fields = self._asked_custom_fields
        # If the platform lists none at all, the list proves nothing about an id: the platform
        # itself has to judge it.
        return AccountNames(custom_fields=fields, date_order=self.date_order) if fields else None

    @property
    def has_no_custom_fields(self) -> bool:
        """Whether the account was asked, and lists no custom field."""
        return self._asked_custom_fields == ()

    @cached_property
    def _asked_custom_fields(self) -> tuple[CustomFieldDefinition, ...] | None:
        fields = self.ask_custom_fields()
        return None if fields is None else tuple(fields)

    @cached_property
    def _by_id(self) -> dict[int, CustomFieldDefinition]:
        names = self.custom_fields
        return {} if names is None else {it.field_id: it for it in names.custom_fields}

    def id_of(self, name: str) -> int | None:
        """The id of the active custom field of this name; `None` if there is not exactly one."""
        names = self.custom_fields
        if names is None or not names.has_custom_field(name) or self.several_of(name):
            return None
        return names.custom_field(name).field_id

    def get(self, field_id: int) -> CustomFieldDefinition | None:
        """The custom field of this id; `None` if it is not known."""
        return self._by_id.get(field_id)

    def name_of(self, field_id: int) -> str | None:
        """The name of the custom field of this id; `None` if it is not known."""
        definition = self.get(field_id)
        return None if definition is None else definition.name

    def group_name(self, group_id: int) -> str | None:
        """The name of the group of this id; `None` if it is not known."""
        groups = () if self.groups is None else self.groups.groups
        return next((group.name for group in groups if group.id == group_id), None)

    def several_of(self, name: str) -> str | None:
        """Why a name of a custom field is ambiguous, as the end of a sentence; `None` if it is not.

        A name that no field has is not ambiguous.
        """
        names = self.custom_fields
        if names is None or not names.has_custom_field(name):
            return None
        try:
            names.custom_field(name)
        except ValueError as error:
            return str(error)
        return None

    def shown(self) -> str:
        """The names of the active custom fields, in a sentence; empty if they are not known."""
        names = self.custom_fields
        if names is None:
            return ""
        known = listing(it.name for it in names.custom_fields if it.is_active)
        return f"the account's custom fields are: {known}"

    def problem_of(self, field_id: int, part: str | None) -> str | None:
        """Why a column cannot hold this field, or this part of an address; `None` if it can."""
        if self.custom_fields is None:
            return None
        definition = self.get(field_id)
        if definition is None:
            known = listing(f"{it.field_id} ({it.name})" for it in self._by_id.values())
            return f"the account has no custom field {field_id}; it has {known}"
        name = definition.name
        if definition.type in (FieldType.STATIC_TEXT, FieldType.FILE):
            what = "a fixed text" if definition.type is FieldType.STATIC_TEXT else "a file"
            return f"custom field {field_id} ({name}) is {what} and cannot be set"
        if definition.type is FieldType.ADDRESS and part is None:
            parts = ", ".join(f"{name}.{part}" for part in ADDRESS_PARTS)
            return f"custom field {field_id} is an address: name its parts in columns: {parts}"
        if definition.type is not FieldType.ADDRESS and part is not None:
            return f"custom field {field_id} ({name}) is not an address and has no parts"
        return None


def reader_of(
    field_id: int, names: KnownNames, day_zero: datetime.date | None = None
) -> CellReader:
    """The reader of a custom field's cells, by its type; cells are text if the type is not known.

    `day_zero` is the day from which a spreadsheet counts dates; `None` if a number in a cell cannot
    be a date.
    """
    definition = names.get(field_id)
    if definition is None:
        return text_of
    convert = converter_of(definition, names.date_order)
    match definition.type:
        case FieldType.WHOLE_NUMBER:
            return partial(_converted, convert, as_whole_number)
        case FieldType.DATE:
            return partial(_converted, convert, partial(_as_date, day_zero))
        case FieldType.MULTIPLE_SELECT:
            return partial(_several, convert)
    return partial(_converted, convert, _as_it_is)


def groups_reader(names: AccountNames) -> CellReader:
    """The reader of cells that list groups by id or name, if the account's groups are known."""
    ids = {str(group.id): group.id for group in names.groups}

    def id_of(part: str) -> int:
        # A number in a cell is always an id, even if a group has this number as its name.
        known = ids.get(as_whole_number(part))
        try:
            return names.group_id(part) if known is None else known
        except ValueError as error:
            raise CellError(f"{error}; {_SEVERAL_GROUPS}") from None

    def read(cell: str) -> list[int] | None:
        text = text_of(cell)
        if text is None:
            return None
        # A group's name may have a comma in it.
        parts = [text] if names.has_group(text) else parts_of(text)
        return [id_of(part) for part in parts] or None

    return read


def _converted(convert: Converter, prepare: Callable[[str], Any], cell: str) -> Any:
    text = text_of(cell)
    if text is None:
        return None
    try:
        return convert(prepare(text))
    except DateOrderError:
        raise CellError(
            "is a date whose order is not clear: give the order with --date-order dmy (day, month, "
            "year) or --date-order mdy, or write it as yyyy-mm-dd"
        ) from None
    except ValueError as error:
        raise CellError(str(error)) from None


def _several(convert: Converter, cell: str) -> Any:
    return _converted(convert, _as_it_is, cell) or None


def _as_it_is(text: str) -> str:
    return text


def _as_date(day_zero: datetime.date | None, text: str) -> datetime.date | str:
    if day_zero is not None and _DAY_NUMBER.fullmatch(text):
        return day_zero + datetime.timedelta(days=int(text))
    return _YEAR_FIRST.sub(r"\1-\3-\4", text, count=1)
