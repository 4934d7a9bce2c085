"""aiohttp as this SDK uses it: the session, the body that proves "never sent", its errors as ours.

Only this package depends on internals of aiohttp.
"""

from contactsdk.transport.answer import read_answer
from contactsdk.transport.body import Body, UnusableConnectionError
from contactsdk.transport.failures import is_mocked, may_try_another, transport_error
from contactsdk.transport.session import (
    check_loop,
    connection_hook,
    connection_limit,
    make_session,
    needs_connection_hook,
)

__all__ = [
    "Body",
    "UnusableConnectionError",
    "check_loop",
    "connection_hook",
    "connection_limit",
    "is_mocked",
    "make_session",
    "may_try_another",
    "needs_connection_hook",
    "read_answer",
    "transport_error",
]
