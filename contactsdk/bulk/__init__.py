"""Many contacts: a bounded fan-out with exactly one outcome for each item of the input."""

from contactsdk.bulk.options import BulkOptions, RunOptions
from contactsdk.bulk.outcomes import BulkReport, Outcome
from contactsdk.bulk.progress import OnProgress, Progress
from contactsdk.bulk.recorded_settling import Confirm, settle_recorded
from contactsdk.bulk.run import Run
from contactsdk.bulk.settling import SettlingMeans
from contactsdk.bulk.stream import OutcomeStream, collect, outcome_stream

__all__ = [
    "BulkOptions",
    "BulkReport",
    "Confirm",
    "OnProgress",
    "Outcome",
    "OutcomeStream",
    "Progress",
    "Run",
    "RunOptions",
    "SettlingMeans",
    "collect",
    "outcome_stream",
    "settle_recorded",
]
