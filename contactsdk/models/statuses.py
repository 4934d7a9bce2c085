"""Whether a contact has opted in to email and to SMS, as the platform numbers it."""

from enum import IntEnum


class EmailStatus(IntEnum):
    """Whether the contact has opted in to email (platform page, "Email Status").

    The page gives the names alone; its newer version no longer lists `REGISTERING` for this call.
    """

    SUBSCRIBED = 1
    UNSUBSCRIBED = 2
    BOUNCED = 3
    REGISTERING = 4
    NO_MARKETING = 5


class SmsStatus(IntEnum):
    """Whether the contact has opted in to SMS (platform page, "Sms status").

    The page gives the names alone. The platform has announced that SMS marketing is gone, and that
    requests with an SMS status are not supported from 30 June 2026 on.
    """

    SUBSCRIBED = 1
    UNSUBSCRIBED = 2
    FAILED = 3
    NO_MARKETING = 4
