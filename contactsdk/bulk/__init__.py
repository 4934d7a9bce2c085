"""Bulk runs: many contacts are sent with bounded concurrency; each input item has one outcome.

The names of this package are imported lazily, at their first use. So programs that make only single
calls do not pay for them when they import `contactsdk`.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contactsdk.bulk.actions import RequestedBatchActions
    from contactsdk.bulk.options import BulkOptions, RunOptions
    from contactsdk.bulk.outcomes import BulkReport, Outcome
    from contactsdk.bulk.progress import OnProgress, Progress
    from contactsdk.bulk.recorded_settling import Confirm, settle_recorded
    from contactsdk.bulk.run import Run
    from contactsdk.bulk.settling import SettlingMeans
    from contactsdk.bulk.stream import OutcomeStream, collect, outcome_stream
    from contactsdk.bulk.turns import SharedRate
else:
    _MODULES = {
        "BulkOptions": "options",
        "BulkReport": "outcomes",
        "Confirm": "recorded_settling",
        "OnProgress": "progress",
        "Outcome": "outcomes",
        "OutcomeStream": "stream",
        "Progress": "progress",
        "RequestedBatchActions": "actions",
        "Run": "run",
        "RunOptions": "options",
        "SettlingMeans": "settling",
        "SharedRate": "turns",
        "collect": "stream",
        "outcome_stream": "stream",
        "settle_recorded": "recorded_settling",
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


__all__ = [
    "BulkOptions",
    "BulkReport",
    "Confirm",
    "OnProgress",
    "Outcome",
    "OutcomeStream",
    "Progress",
    "RequestedBatchActions",
    "Run",
    "RunOptions",
    "SettlingMeans",
    "SharedRate",
    "collect",
    "outcome_stream",
    "settle_recorded",
]
