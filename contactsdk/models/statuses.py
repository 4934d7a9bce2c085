"""Whether a contact has opted in to email and to SMS, as the platform numbers it."""

from enum import IntEnum


class EmailStatus(IntEnum):
    """Whether the contact has opted in to email (platform page, "Email Status").

    The page gives only the names; its newer version no longer lists `REGISTERING` for this call.
    """

    SUBSCRIBED = 1
    """The contact has opted in."""
    UNSUBSCRIBED = 2
    """The contact has opted out."""
    BOUNCED = 3
    """Email to the address came back."""
    REGISTERING = 4
    """The name suggests: the contact has not confirmed yet. The platform may refuse it."""
    NO_MARKETING = 5
    """The name suggests: the contact gets no marketing email."""


class SmsStatus(IntEnum):
    """Whether the contact has opted in to SMS (platform page, "Sms status").

    The page gives only the names. The platform has announced that SMS marketing has ended, and that
    requests with an SMS status are not supported from 30 June 2026 on.
    """

    SUBSCRIBED = 1
    """The contact has opted in."""
    UNSUBSCRIBED = 2
    """The contact has opted out."""
    FAILED = 3
    """The name suggests: a message could not be delivered."""
    NO_MARKETING = 4
    """The name suggests: the contact gets no marketing messages."""
