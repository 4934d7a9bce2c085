"""Whether a contact has opted in to email and to SMS, as the platform numbers it."""

from enum import IntEnum


class EmailStatus(IntEnum):
    """Whether the contact has opted in to email (platform page, "Email Status").

    The page gives the names alone; its newer version no longer lists `REGISTERING` for this call.
    """

    SUBSCRIBED = 1
    """Has opted in."""
    UNSUBSCRIBED = 2
    """Has opted out."""
    BOUNCED = 3
    """Email to the address came back."""
    REGISTERING = 4
    """Has not yet confirmed, by its name; the platform may refuse it."""
    NO_MARKETING = 5
    """Gets no marketing email, by its name."""


class SmsStatus(IntEnum):
    """Whether the contact has opted in to SMS (platform page, "Sms status").

    The page gives the names alone. The platform has announced that SMS marketing is gone, and that
    requests with an SMS status are not supported from 30 June 2026 on.
    """

    SUBSCRIBED = 1
    """Has opted in."""
    UNSUBSCRIBED = 2
    """Has opted out."""
    FAILED = 3
    """A message could not be delivered, by its name."""
    NO_MARKETING = 4
    """Gets no marketing messages, by its name."""
