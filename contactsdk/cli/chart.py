"""A chart of how fast a run went, as SVG to be put into an HTML page."""

import math
from collections.abc import Sequence
from typing import Final

from contactsdk.cli.text import duration
from contactsdk.cli.timeline import Span

_WIDTH: Final = 1000
_HEIGHT: Final = 100


def chart(spans: Sequence[Span], end_s: float) -> str:
    """The chart of contacts a second over the `end_s` seconds of a run; a band marks each pause.

    The texts are HTML outside of the drawing: the drawing is stretched to the width of the page,
    and text in it would be distorted.
    """
    rates = [span.contacts / (span.end_s - span.start_s) for span in spans]
    top = _round_up(max(rates))

    def x(seconds: float) -> str:
        return f"{_WIDTH * seconds / end_s:.1f}"

    bands = [
        f'<rect class="pause" x="{x(start_s)}" y="0" width="{x(stop_s - start_s)}" '
        f'height="{_HEIGHT}"/>'
        for start_s, stop_s in _pauses(spans)
    ]
    points = [f"M0,{_HEIGHT}"]
    for span, rate in zip(spans, rates, strict=True):
        y = f"{_HEIGHT * (1 - rate / top):.1f}"
        points.append(f"L{x(span.start_s)},{y} L{x(span.end_s)},{y}")
    line = f'<path class="rate" d="{" ".join(points)} L{x(spans[-1].end_s)},{_HEIGHT} Z"/>'
    return (
        f'<div class="quiet">{top:,} a second</div>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Contacts a second over the time of the run">{"".join(bands)}{line}</svg>'
        f'<div class="quiet scale"><span>0 s</span><span>{duration(end_s)}</span></div>'
    )


def _pauses(spans: Sequence[Span]) -> list[tuple[float, float]]:
    """The start and end of each pause, in seconds; pauses of adjacent spans are joined."""
    found: list[tuple[float, float]] = []
    for span in spans:
        if span.paused_s <= 0:
            continue
        if found and found[-1][1] == span.start_s:
            found[-1] = (found[-1][0], span.end_s)
        else:
            found.append((span.start_s, span.end_s))
    return found


def _round_up(rate: float) -> int:
    """The rate rounded up to one significant digit, such as 34 to 40; at least 1."""
    step = 1
    while 10 * step < rate:
        step *= 10
    return max(1, math.ceil(rate / step)) * step
