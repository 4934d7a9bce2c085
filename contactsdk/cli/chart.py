"""A chart of how fast a run went, as SVG that stands within a page."""

from collections.abc import Sequence
from typing import Final

from contactsdk.cli.text import duration
from contactsdk.cli.timeline import Span

_WIDTH: Final = 720
_HEIGHT: Final = 180
_LEFT: Final = 56
_BOTTOM: Final = 24
_TOP: Final = 12


def chart(spans: Sequence[Span]) -> str:
    """Contacts a second over the time of a run, and a band wherever it was paused.

    Empty where there is nothing to show.
    """
    if not spans or spans[-1].end_s <= 0:
        return ""
    end_s = spans[-1].end_s
    rates = [span.contacts / (span.end_s - span.start_s) for span in spans]
    top = _round_up(max(rates))

    def x(seconds: float) -> float:
        return _LEFT + (_WIDTH - _LEFT) * seconds / end_s

    def y(rate: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - rate / top)

    base = y(0)
    pauses = [
        f'<rect class="pause" x="{x(span.start_s):.1f}" y="{_TOP}" '
        f'width="{max(1.0, x(span.end_s) - x(span.start_s)):.1f}" height="{base - _TOP:.1f}"/>'
        for span in spans
        if span.paused_s > 0
    ]
    points = [f"M{_LEFT},{base:.1f}"]
    for span, rate in zip(spans, rates, strict=True):
        points.append(f"L{x(span.start_s):.1f},{y(rate):.1f} L{x(span.end_s):.1f},{y(rate):.1f}")
    line = f'<path class="rate" d="{" ".join(points)} L{_WIDTH},{base:.1f} Z"/>'
    labels = [
        f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{top:,}/s</text>',
        f'<text x="{_LEFT - 6}" y="{base:.1f}" text-anchor="end">0</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 4}">0 s</text>',
        f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{duration(end_s)}</text>',
        f'<line x1="{_LEFT}" y1="{base:.1f}" x2="{_WIDTH}" y2="{base:.1f}"/>',
    ]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="Contacts a second over the time of the run">'
        f"{''.join((*pauses, line, *labels))}</svg>"
    )


def _round_up(rate: float) -> int:
    """The next number above a rate that is 1, 2 or 5 times a power of ten."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step >= rate:
                return factor * step
        step *= 10
