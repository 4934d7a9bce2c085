"""The groups, companies and custom fields that an account declares."""

from collections.abc import Iterable, Mapping
from typing import Self

import attrs

from contactsdk.sandbox.custom_fields import FieldDefinition, FieldType


@attrs.frozen(kw_only=True)
class Account:
    """The groups, companies and custom fields of the account; `None` accepts any."""

    groups: Mapping[int, str] | None = None
    """Id -> name."""
    companies: frozenset[int] | None = None
    """Ids."""
    custom_fields: Mapping[int, FieldDefinition] | None = None
    """Id -> definition."""

    @classmethod
    def declared(
        cls,
        groups: Iterable[int] | Mapping[int, str] | None = None,
        companies: Iterable[int] | None = None,
        custom_fields: Mapping[int, FieldType | FieldDefinition] | None = None,
    ) -> Self:
        """An account from short arguments: groups may lack names, and fields may be types only."""
        if groups is not None and not isinstance(groups, Mapping):
            groups = {group: f"Group {group}" for group in groups}
        return cls(
            groups=None if groups is None else dict(groups),
            companies=None if companies is None else frozenset(companies),
            custom_fields=None
            if custom_fields is None
            else {field_id: _definition(it) for field_id, it in custom_fields.items()},
        )

    def display_name(self, field_id: int) -> str:
        """The name of a custom field; `Field` and the id if the field has no declared name."""
        definition = (self.custom_fields or {}).get(field_id)
        return (definition and definition.display_name) or f"Field {field_id}"


def _definition(given: FieldType | FieldDefinition) -> FieldDefinition:
    return FieldDefinition(field_type=given) if isinstance(given, FieldType) else given
