"""The values that callers use: contacts, their parts, and the groups and fields of an account."""

from contactsdk.models.account import CustomFieldDefinition, FieldOption, FieldType, Group
from contactsdk.models.contact import Contact, Item, key_of
from contactsdk.models.parts import CustomField, ExternalUrl
from contactsdk.models.statuses import EmailStatus, SmsStatus

__all__ = [
    "Contact",
    "CustomField",
    "CustomFieldDefinition",
    "EmailStatus",
    "ExternalUrl",
    "FieldOption",
    "FieldType",
    "Group",
    "Item",
    "SmsStatus",
    "key_of",
]
