"""The report of a probe, as a table for people and as JSON for an issue.

It has no secret and no value of a contact.
"""

import platform
from collections.abc import Sequence

import orjson

from contactsdk.probe.assumptions import Finding


def as_table(findings: Sequence[Finding]) -> str:
    """A table with a line for each assumption: its question, the assumed and the seen answer.

    `=` marks a line that is as assumed, `!` one that is not. The promises that do not hold follow.
    """
    rows = [("", "question", "assumed", "seen")]
    rows += [
        (_mark(it), it.assumption.question, it.assumption.assumed, _seen(it)) for it in findings
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    broken = broken_promises(findings)
    if broken:
        lines += ["", "These promises of the README do not hold on this account:"]
        lines += [f"- {promise}" for promise in broken]
    return "\n".join(lines)


def as_json(findings: Sequence[Finding], *, version: str, requests: int) -> bytes:
    """The findings as JSON, to be pasted into an issue; `requests` is how many were made."""
    return orjson.dumps(
        {
            "contactsdk": version,
            "python": platform.python_version(),
            "requests": requests,
            "findings": [
                {
                    "name": it.assumption.name,
                    "question": it.assumption.question,
                    "assumed": it.assumption.assumed,
                    "seen": it.seen,
                    "detail": it.detail,
                    "as_assumed": it.is_as_assumed,
                }
                for it in findings
            ],
            "broken_promises": broken_promises(findings),
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )


def broken_promises(findings: Sequence[Finding]) -> list[str]:
    """The promises of the README that do not hold on this account, each once."""
    broken = (it.assumption.promise for it in findings if not it.is_as_assumed)
    return list(dict.fromkeys(promise for promise in broken if promise))


def _seen(finding: Finding) -> str:
    if finding.seen is None:
        return "not tried"
    return f"{finding.seen} ({finding.detail})" if finding.detail else finding.seen


def _mark(finding: Finding) -> str:
    if finding.seen is None:
        return " "
    return "=" if finding.is_as_assumed else "!"
