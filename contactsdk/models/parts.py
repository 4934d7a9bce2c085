"""The parts of a contact: a custom field and an external URL, and what stands for a wrong one."""

from collections.abc import Callable
from typing import Any, Final

from attrs import field, frozen

from contactsdk.errors import Path
from contactsdk.models.checks import (
    Checks,
    Problems,
    check_attributes,
    https_problems,
    id_problems,
    json_copy,
    json_problems,
    text_problems,
)

_CUSTOM_FIELD_CHECKS: Final[Checks] = {"field_id": id_problems, "value": json_problems}

_EXTERNAL_URL_CHECKS: Final[Checks] = {
    "ref": text_problems,
    "url": https_problems,
    "label": text_problems,
}


@frozen(kw_only=True)
class CustomField:
    """One custom field of a contact: the field's id and its value.

    The value is any JSON value or a `datetime.date`; what fits is up to the field's type on the
    platform (an address is a dict, a multiple select a list). Lists become tuples, and mappings
    become dicts of their own. Do not change such a dict: it would no longer be what was checked. A
    contact that holds one cannot be hashed.

    Raises:
        InvalidContactError: The id is not a positive integer, or JSON cannot carry the value.
    """

    field_id: int
    """The platform's id of the field, from 1."""
    value: Any = field(converter=json_copy, repr=False)
    """The value to set; `None` is sent as null, which is meant to clear the field."""

    def __attrs_post_init__(self) -> None:
        check_attributes(self, _CUSTOM_FIELD_CHECKS, required=("field_id",))


@frozen(kw_only=True)
class ExternalUrl:
    """A link from the contact to another system.

    Raises:
        InvalidContactError: `ref` is empty, or `url` is not an https address.
    """

    ref: str = field(repr=False)
    """Names the link; unique within a contact."""
    url: str | None = field(repr=False)
    """An https address; `None` removes the link of this `ref`."""
    label: str | None = field(default=None, repr=False)
    """The text of the link; `None` is not sent."""

    def __attrs_post_init__(self) -> None:
        check_attributes(self, _EXTERNAL_URL_CHECKS, required=("ref",))


@frozen
class InvalidPart:
    """Stands where a part could not be made; the contact then reports it with its position."""

    errors: tuple[tuple[Path, str], ...]
    """All that is wrong, as in `InvalidContactError`."""
    ref: Any = None
    """The `ref` of an external URL, since it must differ from those of the other parts."""


def problems_within(position: int, part: InvalidPart) -> Problems:
    """What is wrong with the part at this position of a list."""
    for path, what in part.errors:
        yield (position, *path), what


def parts_problems(kind: type, expected: str, expected_item: str) -> Callable[[Any], Problems]:
    """The check of a list of parts of this kind.

    `expected` says what the whole value must be, `expected_item` what each item must be.
    """

    def problems(value: Any) -> Problems:
        if not isinstance(value, tuple):
            yield (), expected
            return
        for position, part in enumerate(value):
            if isinstance(part, InvalidPart):
                yield from problems_within(position, part)
            elif not isinstance(part, kind):
                yield (position,), expected_item

    return problems
