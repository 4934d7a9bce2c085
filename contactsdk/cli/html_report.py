"""The HTML report of a run.

It can be sent to anybody: it is one page with no script and no other resource, and it shows no
value of a contact.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from contactsdk import __version__
from contactsdk.cli.chart import chart
from contactsdk.cli.reasons import Reasons
from contactsdk.cli.summary import Tally
from contactsdk.cli.text import duration, printable
from contactsdk.cli.timeline import Span
from contactsdk.files import State

_STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem; max-width: 46rem; background: #fff; color: #1c1e21;
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .4rem 0; }
.quiet { color: #5c6066; font-size: .9rem; }
.counts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem;
  padding: 0; margin: 1rem 0; list-style: none; }
.counts li { border: 1px solid #d5d8dc; border-top: 4px solid #8a8f98; border-radius: 4px;
  padding: .5rem .75rem; }
.counts b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.counts .succeeded { border-top-color: #1a7f4b; }
.counts .failed { border-top-color: #b3261e; }
.counts .uncertain { border-top-color: #b26a00; }
.stopped { border-left: 4px solid #b3261e; padding: .25rem .75rem; background: #fbeeed; }
.advice { border-left: 4px solid #b26a00; padding: .25rem .75rem; background: #fdf4e5; }
svg { display: block; width: 100%; height: 10rem; border: solid #8a8f98;
  border-width: 0 0 1px 1px; }
svg .rate { fill: #cfe0f5; stroke: #2563a8; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
svg .pause { fill: #f6d9b0; }
.foot { margin-top: 2rem; }
.scale { display: flex; justify-content: space-between; }
.key { display: inline-block; width: .9em; height: .9em; vertical-align: -.1em;
  margin-right: .3em; }
.key.rate { background: #cfe0f5; border: 1px solid #2563a8; }
.key.pause { background: #f6d9b0; margin-left: 1em; }
table { width: 100%; border-collapse: collapse; }
th:last-child { width: 45%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .5rem;
  border-bottom: 1px solid #d5d8dc; }
th:first-child, td:first-child { text-align: right; width: 4rem;
  font-variant-numeric: tabular-nums; }
@media (max-width: 34rem) {
  thead { position: absolute; clip-path: inset(50%); }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid #d5d8dc; }
  td, td:first-child { display: block; text-align: left; width: auto; border: 0; padding: .1rem 0; }
  td:first-child::after { content: attr(data-unit); }
}
@media print {
  body { max-width: none; padding: 0; font-size: 11pt; }
  tr, svg, .counts { break-inside: avoid; }
  h2 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

_SHOWN_FAILED: Final = 20
_SHOWN_UNCERTAIN: Final = 100  # more than of the failed, since somebody has to look up each one


def html_report(
    name: str,
    address: str,
    tally: Tally,
    spans: Sequence[Span],
    *,
    elapsed_s: float,
    ended_at: str,
    stopped: str | None,
) -> str:
    """The page, as HTML.

    `name` is the name of the input, `address` the address that the contacts were sent to,
    `ended_at` the time of the run's end as text. `stopped` says why the run ended early; `None` if
    it did not.
    """
    title = f"Import of {printable(name)}"
    rate = ""
    if tally.ended > 0:
        rate = f": {tally.ended / max(elapsed_s, 1e-9):,.0f} contacts a second"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">To {escape(printable(address))}.</p>',
        f'<p class="quiet">Ended {escape(ended_at)}, after {duration(elapsed_s)}{rate}.</p>',
        _counts(tally),
        _stopped(stopped, tally),
        _speed(spans, elapsed_s),
        _failures(tally),
        _uncertain(tally),
        '<p class="quiet foot">Rows are numbered as in a spreadsheet. '
        "This page shows no values of contacts: [...] stands in place of each. "
        f"Written by contactsdk {escape(__version__)}.</p>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _counts(tally: Tally) -> str:
    shown = {
        "read": ("rows read", tally.states.total()),
        "succeeded": ("succeeded", tally.states[State.SUCCEEDED]),
        "failed": ("failed", tally.states[State.FAILED]),
        "uncertain": ("uncertain", tally.states[State.UNCERTAIN]),
    }
    if left := tally.states[State.NOT_STARTED]:
        shown["left"] = ("not started", left)
    items = [
        f'<li class="{kind}"><b>{count:,}</b>{label}</li>' for kind, (label, count) in shown.items()
    ]
    recorded = ""
    if tally.from_journal:
        recorded = (
            f'<p class="quiet">{tally.from_journal:,} of the rows came from the journal of an '
            "earlier run and were not sent again.</p>"
        )
    return f'<ul class="counts">{"".join(items)}</ul>{recorded}'


def _stopped(stopped: str | None, tally: Tally) -> str:
    if stopped is None:
        return ""
    left = tally.states[State.NOT_STARTED]
    rest = f" {left:,} rows were not sent." if left else ""
    return f'<p class="stopped">The run ended early: {escape(printable(stopped))}.{rest}</p>'


def _speed(spans: Sequence[Span], elapsed_s: float) -> str:
    if not any(span.contacts or span.paused_s for span in spans):
        return ""
    drawn = chart(spans, max(elapsed_s, spans[-1].end_s))
    paused_s = sum(span.paused_s for span in spans)
    paused = "The run was never paused."
    if paused_s > 0:
        paused = f"The run waited for the platform for {duration(paused_s)} in all."
    return (
        f"<h2>Contacts a second</h2>\n{drawn}\n"
        '<p class="quiet"><span class="key rate"></span>contacts a second'
        f'<span class="key pause"></span>paused. {paused}</p>'
    )


def _failures(tally: Tally) -> str:
    if not tally.states[State.FAILED]:
        return ""
    return (
        "<h2>Failed</h2>\n<p>These rows were not applied. Correct the rows that were refused or "
        "invalid, and import them again. The other rows can be imported as they are: if the "
        "import had a journal, run the same command again.</p>\n"
        + _table(tally.failed, _SHOWN_FAILED)
    )


def _uncertain(tally: Tally) -> str:
    if not tally.states[State.UNCERTAIN]:
        return ""
    return (
        '<h2>Uncertain</h2>\n<p class="advice">These rows may have been applied: no trustworthy '
        "answer came. Look each of them up on the platform; if the import had a journal, the "
        "command contactsdk settle does it for you. Then import only the rows that are not there: "
        "importing a row that is there adds its contact a second time.</p>\n"
        + _table(tally.uncertain, _SHOWN_UNCERTAIN)
    )


def _table(reasons: Reasons, shown: int) -> str:
    rows = [
        f'<tr><td data-unit="{" row:" if reason.count == 1 else " rows:"}">{reason.count:,}</td>'
        f"<td>{escape(printable(reason.text))}</td>"
        f"<td>{escape(reason.rows_text(shown))}</td></tr>"
        for reason in reasons
    ]
    return (
        "<table><thead><tr><th>Rows</th><th>Reason</th><th>Which</th></tr></thead>\n<tbody>"
        + "\n".join(rows)
        + "</tbody></table>"
    )
