"""The steps of a probe in order; a step may depend on those before it."""

from typing import Final

from contactsdk.probe import reading, writing
from contactsdk.probe.probing import Step

STEPS: Final[tuple[Step, ...]] = (
    reading.see_clocks,
    reading.see_errors,
    reading.see_declared,
    writing.add,
    reading.see_lists,
    writing.see_update,
    writing.see_update_if_exists,
    writing.see_unchanged,
    writing.see_nulls,
    writing.see_empty_groups,
    writing.see_custom_fields,
    writing.see_refusals,
    writing.see_batch,
)
