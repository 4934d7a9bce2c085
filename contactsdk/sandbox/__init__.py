"""The platform on this machine: a server for tests, demos and users with no account.

It is a reading of the platform of its own and shares no code with the rest of the package: a client
that gets along with it agrees with a second opinion.
"""

from contactsdk.sandbox.faults import DEFAULT_MIX, Fault, FaultKind
from contactsdk.sandbox.fields import FieldType
from contactsdk.sandbox.ledger import Answer, Ledger, Request, Write
from contactsdk.sandbox.limits import RateLimit
from contactsdk.sandbox.server import Sandbox

__all__ = [
    "DEFAULT_MIX",
    "Answer",
    "Fault",
    "FaultKind",
    "FieldType",
    "Ledger",
    "RateLimit",
    "Request",
    "Sandbox",
    "Write",
]
