"""Makes contacts from mappings that use the names of groups and custom fields, not their ids."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import Factory, field, frozen
from attrs.converters import optional

from contactsdk.errors import InvalidContactError, Path
from contactsdk.field_values import (
    ADDRESS_PARTS,
    Converter,
    DateOrder,
    address_part,
    converter_of,
    folded,
    listing,
    parts_of,
)
from contactsdk.models import Contact, CustomFieldDefinition, FieldType, Group
from contactsdk.models.parts import InvalidPart
from contactsdk.wire import FIELD_NAMES, contact_from

_CUSTOM_FIELDS: Final = "custom_fields"
_UNKNOWN: Final = (
    "is neither a field of a contact nor a custom field of the account; its custom fields are"
)


def _groups(groups: Iterable[Group]) -> tuple[Group, ...]:
    return tuple(groups)


def _definitions(
    definitions: Iterable[CustomFieldDefinition],
) -> tuple[CustomFieldDefinition, ...]:
    return tuple(definitions)


def _index_groups(names: "AccountNames") -> Mapping[str, set[int]]:
    """Maps the folded name of each group, and its id as a text, to the ids that have it."""
    index: dict[str, set[int]] = {}
    for group in names.groups:
        for name in (folded(group.name), str(group.id)):
            index.setdefault(name, set()).add(group.id)
    return index


def _index_fields(names: "AccountNames") -> Mapping[str, list[CustomFieldDefinition]]:
    """Maps folded names to the active custom fields that have them; names need not be unique."""
    index: dict[str, list[CustomFieldDefinition]] = {}
    for definition in names.custom_fields:
        if definition.is_active:
            index.setdefault(folded(definition.name), []).append(definition)
    return index


def _make_converters(names: "AccountNames") -> Mapping[int, Converter]:
    return {
        definition.field_id: converter_of(definition, names.date_order)
        for definition in names.custom_fields
    }


@frozen(kw_only=True)
class AccountNames:
    """The names that an account gives to its groups and custom fields.

    Make it once from what `ContactClient.groups()` and `ContactClient.custom_fields()` return, and
    use it for any number of contacts.
    """

    groups: tuple[Group, ...] = field(default=(), converter=_groups)
    """The account's subscription groups."""
    custom_fields: tuple[CustomFieldDefinition, ...] = field(default=(), converter=_definitions)
    """The account's custom fields."""
    date_order: DateOrder | None = field(default=None, converter=optional(DateOrder))
    """The order of day, month and year in dates that are not `yyyy-mm-dd`; `None` accepts only
    those whose order is clear, such as 31.12.2026."""
    _group_ids: Mapping[str, set[int]] = field(
        init=False, eq=False, repr=False, default=Factory(_index_groups, takes_self=True)
    )
    _fields: Mapping[str, list[CustomFieldDefinition]] = field(
        init=False, eq=False, repr=False, default=Factory(_index_fields, takes_self=True)
    )
    _converters: Mapping[int, Converter] = field(
        init=False, eq=False, repr=False, default=Factory(_make_converters, takes_self=True)
    )

    def group_id(self, group: str | int) -> int:
        """The id of the group with this name, in any case, or with this id.

        Raises:
            ValueError: There is no such group, or more than one; the message lists those there are.
            TypeError: `group` is neither a name nor an id.
        """
        if isinstance(group, bool) or not isinstance(group, int | str):
            raise TypeError(f"group must be a name or an id, not {type(group).__name__}")
        if isinstance(group, int):
            found = {known.id for known in self.groups if known.id == group}
        else:
            found = self._group_ids.get(folded(group), set())
        if len(found) == 1:
            return next(iter(found))
        known = listing(
            f"{known.name} ({known.id})" for known in self.groups if not found or known.id in found
        )
        if found:
            raise ValueError(f"may be any of several groups; give the id as a number: {known}")
        raise ValueError(f"must be a group of the account; its groups are: {known}")

    def group_ids(self, groups: str) -> list[int]:
        """The ids of groups that are named in one text, separated by `;`, `,` or line breaks.

        Raises:
            ValueError: As for `group_id`.
        """
        # The name of a group may contain a comma itself.
        names = [groups] if self.has_group(groups) else parts_of(groups)
        return [self.group_id(name) for name in names]

    def custom_field(self, name: str) -> CustomFieldDefinition:
        """The active custom field with this name, in any case.

        Raises:
            ValueError: There is no such field, or more than one; the message lists those there are.
        """
        found = self._fields.get(folded(name), [])
        if len(found) == 1:
            return found[0]
        if found:
            ids = listing(f"customFields.{definition.field_id}" for definition in found)
            raise ValueError(f"is the name of several custom fields; use one of: {ids}")
        active = (known[0].name for known in self._fields.values())
        raise ValueError(f"{_UNKNOWN}: {listing(active)}")

    def has_group(self, name: str) -> bool:
        """Whether at least one group has this name or this id."""
        return folded(name) in self._group_ids

    def has_custom_field(self, name: str) -> bool:
        """Whether at least one active custom field has this name."""
        return folded(name) in self._fields

    def custom_field_by_id(self, field_id: str) -> CustomFieldDefinition:
        """The custom field of the account with this id.

        Raises:
            ValueError: There is no such field; the message lists those there are.
        """
        for definition in self.custom_fields:
            if str(definition.field_id) == field_id:
                return definition
        known = listing(f"{known.field_id} ({known.name})" for known in self.custom_fields)
        raise ValueError(f"must be a custom field of the account; its custom fields are: {known}")

    def value(self, definition: CustomFieldDefinition, value: Any) -> Any:
        """Convert a value of a custom field to the value that is sent.

        An empty text is sent unchanged for all types. Otherwise:

        - A text field accepts text, and also numbers and dates, which become text.
        - A select accepts one of its options by label or value, in any case. A multiple select
          accepts a list of options, or one text with options separated by `;`, `,` or line breaks.
          If the platform lists no options, any text is accepted.
        - A date field accepts a `date`, a text `yyyy-mm-dd`, or a text in `date_order` with a year
          of four digits; without `date_order`, such a text only if its day is above 12 and its year
          is last.
        - An address field accepts a mapping with the parts `line1` to `line4`, `city`,
          `postalCode`, `countryCode`, `stateCode` and `stateName`, in any case, to texts.
        - Files and static texts cannot be set. A field of an unknown type accepts any value.

        Raises:
            ValueError: The value does not fit the field's type; the message says what it must be.
            KeyError: `definition` is not one of `custom_fields`.
        """
        return self._converters[definition.field_id](value)


def contact_from_names(row: Mapping[str, Any], names: AccountNames) -> Contact:
    """Make a contact from a mapping that names groups and custom fields.

    Keys are those that `contact_from` accepts, and the names of custom fields, such as `Birthday`.
    `Home address.city` is a part of an address field. `customFields.5` is the field with the id 5;
    use it for a field that shares its name with another one. Values of custom fields are converted
    as by `AccountNames.value`; `None` is not sent. `groups` may be names or ids, in a list or in
    one text.

    Raises:
        InvalidContactError: It has all errors of the mapping, each with its key. If a name is
            unknown, the message lists the known names.
    """
    if not isinstance(row, Mapping):
        return contact_from(row)  # it raises an error that says what is wrong
    own: dict[Any, Any] = {}
    by_id: dict[str, Any] = {}
    by_name: dict[str, Any] = {}
    for key, value in row.items():
        known = FIELD_NAMES.get(key.casefold()) if isinstance(key, str) else None
        if known == "groups":
            own[key] = _read_groups(value, names)
        elif known == _CUSTOM_FIELDS:
            by_id[key] = value
        elif known is None and isinstance(key, str):
            by_name[key] = value
        else:
            own[key] = value
    values, problems = _converted(by_name, names)
    if by_name and any(value is not None for value in by_id.values()):
        problems += [((key,), "must not be combined with custom fields by name") for key in by_id]
    # The platform's spelling of this key is used, since it does not change how errors spell the
    # other keys.
    own |= {"customFields": values} if values else by_id
    try:
        contact = contact_from(own)
    except InvalidContactError as error:
        raise InvalidContactError([*problems, *error.errors]) from None
    if problems:
        raise InvalidContactError(problems)
    return contact


def _read_groups(groups: Any, names: AccountNames) -> Any:
    if isinstance(groups, str):
        try:
            return names.group_ids(groups)
        except ValueError as error:
            return [InvalidPart((((), str(error)),))]
    if not isinstance(groups, list | tuple):
        return groups
    return [_read_group(group, names) for group in groups]


def _read_group(group: Any, names: AccountNames) -> Any:
    if not isinstance(group, str | int) or isinstance(group, bool):
        return group
    try:
        return names.group_id(group)
    except ValueError as error:
        return InvalidPart((((), str(error)),))


def _converted(
    named: Mapping[str, Any], names: AccountNames
) -> tuple[dict[int, Any], list[tuple[Path, str]]]:
    """The values of custom fields by their ids, and the errors in them as (path, message)."""
    values: dict[int, Any] = {}
    problems: list[tuple[Path, str]] = []
    for key, value in named.items():
        try:
            definition, part = _column(key, names)
            if value is None:
                continue
            if part is None:
                _set(values, definition.field_id, names.value(definition, value))
            else:
                parts = values.setdefault(definition.field_id, {})
                _set(parts, part, names.value(definition, {part: value})[part])
        except ValueError as error:
            problems.append(((key,), str(error)))
    return values, problems


def _set(values: Any, key: int | str, value: Any) -> None:
    if not isinstance(values, dict) or key in values:
        raise ValueError("is given twice")
    values[key] = value


def _column(key: str, names: AccountNames) -> tuple[CustomFieldDefinition, str | None]:
    """The custom field that a key names, and its part if the key names a part of an address."""
    stem, dot, last = key.rpartition(".")
    if dot and FIELD_NAMES.get(stem.casefold()) == _CUSTOM_FIELDS:
        return names.custom_field_by_id(last), None
    if not dot or names.has_custom_field(key):
        return names.custom_field(key), None
    definition, part = names.custom_field(stem), address_part(last)
    if definition.type is not FieldType.ADDRESS or part is None:
        raise ValueError(
            "must be a custom field, or an address field with one of the parts "
            f"{', '.join(ADDRESS_PARTS)}"
        )
    return definition, part
