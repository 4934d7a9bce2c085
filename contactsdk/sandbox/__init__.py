"""A stand-in for the platform on this machine: for tests, demos and users without an account.

It was written from the platform's pages on its own, and shares no code with the rest of the
package. So a test against it compares two independent readings of these pages.
"""

import importlib as _importlib
import typing as _typing

from contactsdk.sandbox.batches import Batch, Job
from contactsdk.sandbox.custom_fields import FieldDefinition, FieldType
from contactsdk.sandbox.faults import DEFAULT_MIX, JOB_MIX, Fault, FaultKind, JobFault
from contactsdk.sandbox.guesses import Guesses
from contactsdk.sandbox.ledger import Answer, Callback, Ledger, Request, Write, outcome_of
from contactsdk.sandbox.limits import RateLimit
from contactsdk.sandbox.rivals import Rival

if _typing.TYPE_CHECKING:
    from contactsdk.sandbox.server import Sandbox
else:
    # Its server brings aiohttp.web, and the command line, which always needs the names of the
    # faults for its help, is not to wait for that each time that it starts.

    def __getattr__(name: str) -> object:
        if name == "Sandbox":
            return _importlib.import_module(f"{__name__}.server").Sandbox
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "DEFAULT_MIX",
    "JOB_MIX",
    "Answer",
    "Batch",
    "Callback",
    "Fault",
    "FaultKind",
    "FieldDefinition",
    "FieldType",
    "Guesses",
    "Job",
    "JobFault",
    "Ledger",
    "RateLimit",
    "Request",
    "Rival",
    "Sandbox",
    "Write",
    "outcome_of",
]
