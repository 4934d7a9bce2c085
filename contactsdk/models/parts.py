"""The parts of a contact: a custom field, an external URL, and a placeholder for a wrong part."""

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

    The value is any JSON value or a `datetime.date`. Which values the platform accepts depends on
    the type of the field: an address is a dict, a multiple select a list. The value is copied:
    lists become tuples, and mappings become dicts. Do not change such a dict, since a change would
    not be checked. A contact that holds a dict cannot be hashed.

    Raises:
        InvalidContactError: The id is not a positive integer, or JSON cannot hold the value.
    """

    field_id: int
    """The platform's id of the field, a positive integer."""
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
    """The name of the link; it must be unique within a contact."""
    url: str | None = field(repr=False)
    """An https address; `None` removes the link of this `ref`."""
    label: str | None = field(default=None, repr=False)
    """The text of the link; `None` is not sent."""

    def __attrs_post_init__(self) -> None:
        check_attributes(self, _EXTERNAL_URL_CHECKS, required=("ref",))


@frozen
class InvalidPart:
    """A placeholder for a part that could not be made; the contact then reports its errors."""

    errors: tuple[tuple[Path, str], ...]
    """Everything wrong with the part, as in `InvalidContactError`."""
    ref: Any = None
    """The `ref` of a wrong external URL, so that it can be compared with those of other links."""


def problems_within(position: int, part: InvalidPart) -> Problems:
    """The problems of the part at this position of a list."""
    for path, what in part.errors:
        yield (position, *path), what


def parts_problems(kind: type, expected: str, expected_item: str) -> Callable[[Any], Problems]:
    """Makes the check of a list of parts of this kind.

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
