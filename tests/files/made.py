"""Inputs made of text, and what is read from them, for the tests of files."""

import contextlib
import io
from collections.abc import Iterable
from typing import Any, Final

import openpyxl

from contactsdk import Contact, InvalidContactError
from contactsdk.bulk import Outcome
from contactsdk.errors import ContactError
from contactsdk.files import Input, InputOptions, input_options, read_input
from contactsdk.models import CustomFieldDefinition, FieldOption, FieldType, Group, Item

NAMES = "first_name,last_name,email"
ADA = "Ada,Archer,ada@example.com"


def a_group(id: int, name: str) -> Group:
    """A subscription group, as the account lists it."""
    return Group(id=id, name=name)


def a_field(
    field_id: int,
    name: str,
    type: int | None = None,
    options: Iterable[str | FieldOption] = (),
    *,
    is_active: bool = True,
) -> CustomFieldDefinition:
    """A custom field, as the account lists it."""
    return CustomFieldDefinition(
        field_id=field_id,
        name=name,
        type=FieldType(type) if type in list(FieldType) else None,
        options=tuple(
            FieldOption(value=option, label=option) if isinstance(option, str) else option
            for option in options
        ),
        is_active=is_active,
    )


def an_option(value: str | int, label: str) -> FieldOption:
    """An option of a select that is sent as another value than people see."""
    return FieldOption(value=value, label=label)


def options_for(
    *,
    groups: Iterable[Group] | None = None,
    custom_fields: Iterable[CustomFieldDefinition] | None = None,
    **options: Any,
) -> InputOptions:
    """Options for an account that has these; `None` for one that cannot be asked."""
    return input_options(
        ask_groups=lambda: groups, ask_custom_fields=lambda: custom_fields, **options
    )


# What is read is in memory, and stays open to the end of the tests.
_opened: Final = contextlib.ExitStack()


def made_input(content: str | bytes, name: str, **options: Any) -> Input:
    data = content if isinstance(content, bytes) else content.encode()
    reading = read_input(io.BytesIO(data), name, options_for(**options))
    return _opened.enter_context(reading)


def csv_input(content: str | bytes, **options: Any) -> Input:
    return made_input(content, "x.csv", **options)


def jsonl_input(content: str | bytes, **options: Any) -> Input:
    return made_input(content, "x.jsonl", **options)


def items(source: Input) -> list[Item]:
    return [source.item(row) for row in source]


def one_item(source: Input) -> Item:
    [item] = items(source)
    return item


def errors(item: Item) -> dict[Any, str]:
    assert isinstance(item, InvalidContactError)
    return dict(item.errors)


def message_of(item: Item) -> str:
    assert isinstance(item, InvalidContactError)
    return item.message


def contact_of(item: Item) -> Contact:
    assert isinstance(item, Contact), item
    return item


def fields_of(contact: Contact) -> list[tuple[int, Any]]:
    return [(field.field_id, field.value) for field in contact.custom_fields or ()]


def written_back(source: Input, message: str = "why") -> str:
    return source.head() + "".join(source.with_message(row, message) for row in source)


def workbook(rows: list[list[Any]], title: str = "List") -> bytes:
    """An .xlsx whose only sheet has these rows."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    for row in rows:
        sheet.append(row)
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def outcome(
    error: ContactError | None = None, *, id: int | None = None, attempts: int = 1
) -> Outcome:
    return Outcome(index=0, contact=None, id=id, error=error, attempts=attempts, elapsed_s=0.0)
