"""What an account declares for its contacts: subscription groups and custom fields.

Sources: the platform's pages "Get Subscription Group List" and "Get Contact Custom Field
Definition".
"""

from enum import IntEnum

from attrs import frozen


class FieldType(IntEnum):
    """The type of a custom field; its number is the platform's."""

    SMALL_TEXT = 0
    """A line of text."""
    LARGE_TEXT = 1
    """Text of several lines."""
    SINGLE_SELECT = 2
    """One of the field's options."""
    MULTIPLE_SELECT = 3
    """Any of the field's options, as a list."""
    ADDRESS = 4
    """An object of the parts of an address, such as `city`."""
    DATE = 5
    """A date without a time."""
    FILE = 6
    """A file; cannot be set here."""
    STATIC_TEXT = 7
    """A text that is shown to people; cannot be set."""
    WHOLE_NUMBER = 8
    """A whole number."""


@frozen(kw_only=True)
class FieldOption:
    """One of the values that a select field takes."""

    value: str | int
    """The value that is sent to choose this option."""
    label: str
    """The text that people see; often it is the value itself."""


@frozen(kw_only=True)
class CustomFieldDefinition:
    """A custom field of an account's contacts."""

    field_id: int
    """The platform's id of the field, which `Contact.custom_fields` takes."""
    name: str
    """The name that people see."""
    type: FieldType | None
    """The type of the field; `None` for a type that the platform's page does not list."""
    options: tuple[FieldOption, ...] = ()
    """The options of a select field; empty for other types, or if they cannot be read."""
    is_required: bool = False
    """Whether people must fill it in; no page says what that means for an add by the API."""
    is_active: bool = True
    """Whether the field is in use."""
    sort_order: int | None = None
    """The position of the field among all fields; `None` if the platform does not say."""
    file_types: tuple[str, ...] = ()
    """The kinds of files that a file field accepts, such as `images`; empty for other types."""


@frozen(kw_only=True)
class Group:
    """A subscription group of an account."""

    id: int
    """The platform's id of the group, which `Contact.groups` takes."""
    name: str
    """The name that people see."""
    member_count: int | None = None
    """How many contacts are in the group; `None` if the platform does not say."""
    tag_colour: str | None = None
    """The colour of the group on the platform's pages; `None` if it has none."""
