"""What callers handle: contacts and their parts, and what an account declares for them."""

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
