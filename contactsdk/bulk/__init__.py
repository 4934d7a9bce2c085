"""Many contacts: a bounded fan-out with exactly one outcome for each item of the input."""

from contactsdk.bulk.outcomes import BulkReport, Outcome, Progress
from contactsdk.bulk.stream import OnProgress, OutcomeStream, collect

__all__ = ["BulkReport", "OnProgress", "Outcome", "OutcomeStream", "Progress", "collect"]
