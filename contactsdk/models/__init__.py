"""What callers handle: contacts and their parts. A contact is checked when it is made."""

from contactsdk.models.contact import Contact, Item, key_of
from contactsdk.models.parts import CustomField, ExternalUrl
from contactsdk.models.statuses import EmailStatus, SmsStatus

__all__ = [
    "Contact",
    "CustomField",
    "EmailStatus",
    "ExternalUrl",
    "Item",
    "SmsStatus",
    "key_of",
]
