"""Probes of sandboxes, in time that is not waited for."""

import time
from collections.abc import Sequence
from typing import Any

from contactsdk import Credentials
from contactsdk.attempt import Requester
from contactsdk.probe import STEPS, Asker, Finding, Probe, Throwaway, probe
from contactsdk.probe.probing import Step
from contactsdk.sandbox import FieldDefinition, FieldType, Sandbox

FIELDS = {
    1: FieldDefinition(field_type=FieldType.SMALL_TEXT, display_name="One"),
    2: FieldDefinition(field_type=FieldType.LARGE_TEXT, display_name="Two"),
    3: FieldDefinition(field_type=FieldType.SINGLE_SELECT, select_values=["a", "b"]),
    4: FieldDefinition(field_type=FieldType.STATIC_TEXT),
    5: FieldDefinition(field_type=FieldType.SMALL_TEXT, active=False),
}
OLD = {"firstName": "Ada", "lastName": "Archer"}


class HeldTime:
    """The real time, and what was slept: a sleep takes no time of a test."""

    def __init__(self) -> None:
        self._slept_s = 0.0

    def now(self) -> float:
        return time.time() + self._slept_s

    async def sleep(self, delay_s: float) -> None:
        self._slept_s += delay_s


async def probed(
    sandbox: Sandbox, held: HeldTime, *, steps: Sequence[Step] = STEPS
) -> tuple[Probe, str | None]:
    """A probe that was made, and why it ended early."""
    requester = Requester(
        sandbox.url,
        Credentials(sandbox.key, sandbox.secret),
        session=None,
        timeout_s=10.0,
        connect_timeout_s=5.0,
        max_connections=1,
        keepalive_s=4.0,
        trace_configs=(),
    )
    made = Probe(Asker(requester, held.sleep), Throwaway(mark="0af3"), held.now)
    try:
        return made, await probe(made, steps)
    finally:
        await requester.aclose()


def seen(found: Probe) -> dict[str, str | None]:
    return {it.assumption.name: it.seen for it in found.findings()}


def otherwise(findings: Sequence[Finding]) -> set[str]:
    return {it.assumption.name for it in findings if not it.is_as_assumed}


def a_sandbox(held: HeldTime, **options: Any) -> Sandbox:
    """An account with groups, fields of each kind that a probe looks at, and a few contacts."""
    options = {"groups": {10: "VIP"}, "custom_fields": FIELDS, "clock": held.now, **options}
    return Sandbox(**options)


async def with_contacts(sandbox: Sandbox, held: HeldTime) -> None:
    for number in range(6):
        sandbox.write_as_rival({**OLD, "email": f"ada{number}@example.com"})
        await held.sleep(1.0)
