"""What an account declares for its contacts: subscription groups and custom fields.

Sources: the platform's pages "Get Subscription Group List" and "Get Contact Custom Field
Definition".
"""

from enum import IntEnum

from attrs import frozen


class FieldType(IntEnum):
    """What a custom field holds, as the platform numbers it."""

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
    """What is sent for it."""
    label: str
    """What people see; often the value itself."""


@frozen(kw_only=True)
class CustomFieldDefinition:
    """A custom field of an account's contacts."""

    field_id: int
    """The platform's id of the field, which `Contact.custom_fields` takes."""
    name: str
    """What people see."""
    type: FieldType | None
    """What the field holds; `None` for a type that the platform's page does not list."""
    options: tuple[FieldOption, ...] = ()
    """What a select field takes; empty where the platform shows none that can be read."""
    is_required: bool = False
    """Whether people have to fill it in; no page says what that means for an add by the API."""
    is_active: bool = True
    """Whether the field is in use."""
    sort_order: int | None = None
    """Its place among the fields; `None` if the platform does not say."""
    file_types: tuple[str, ...] = ()
    """What a file field takes, such as `images`."""


@frozen(kw_only=True)
class Group:
    """A subscription group of an account."""

    id: int
    """The platform's id of the group, which `Contact.groups` takes."""
    name: str
    """What people see."""
    member_count: int | None = None
    """How many contacts are in it; `None` where the platform does not say."""
    tag_colour: str | None = None
    """The colour that it has on the platform's pages; `None` where it has none."""
