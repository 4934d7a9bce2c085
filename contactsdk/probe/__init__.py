"""Checks the SDK's assumptions about the platform against a live one, with one throwaway contact.

`assumptions` has the table of assumptions, and `requests` makes the requests. `reading` and
`writing` have the steps, `steps` their order. `probing` runs the steps, and `report` writes the
results.
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
