"""What the SDK assumes of the platform, held against a live one with one throwaway contact.

`assumptions` is the table, `requests` makes the requests, `reading` and `writing` are the steps,
`probing` takes them, `report` says what was seen.
"""

from contactsdk.probe.assumptions import ASSUMPTIONS, Assumption, Finding
from contactsdk.probe.probing import Probe, Throwaway, probe
from contactsdk.probe.report import as_json, as_table, broken_promises
from contactsdk.probe.requests import MOST_REQUESTS, Asker
from contactsdk.probe.steps import STEPS

__all__ = [
    "ASSUMPTIONS",
    "MOST_REQUESTS",
    "STEPS",
    "Asker",
    "Assumption",
    "Finding",
    "Probe",
    "Throwaway",
    "as_json",
    "as_table",
    "broken_promises",
    "probe",
]
