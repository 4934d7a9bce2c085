"""The results as an SVG that reads on a light and on a dark page."""

from collections.abc import Sequence
from html import escape

from attrs import frozen

_WIDTH, _NAMES, _BAR, _LINE, _GAP = 720, 230, 16, 24, 44
_OURS = "contactsdk"


@frozen
class Bars:
    """One bar for each name; `unit` is written behind each value."""

    title: str
    unit: str
    values: Sequence[tuple[str, float]]


def svg(charts: Sequence[Bars], footer: str) -> str:
    """All charts, one below the other."""
    y, parts = 0, []
    for chart in charts:
        y += _GAP
        parts.append(_text(0, y - 14, chart.title, "title"))
        most = max(value for _, value in chart.values)
        for name, value in chart.values:
            kind = "ours" if name.startswith(_OURS) else "theirs"
            length = max(1.0, (_WIDTH - _NAMES - 130) * value / most)
            label = f"{value:,.2f}" if value < 10 else f"{value:,.0f}"
            parts += [
                _text(0, y + 12, name, "name"),
                f'<rect class="{kind}" x="{_NAMES}" y="{y}" width="{length:.0f}" height="{_BAR}"/>',
                _text(_NAMES + length + 6, y + 12, f"{label} {chart.unit}", "name"),
            ]
            y += _LINE
    parts.append(_text(0, y + 20, footer, "footer"))
    height = y + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" font-family="sans-serif">\n{_STYLE}'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _text(x: float, y: float, what: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escape(what)}</text>'


_STYLE = """<style>
text { fill: #24292f; font-size: 13px }
.title { font-weight: bold; font-size: 14px }
.footer { font-size: 11px; fill: #6e7781 }
.ours { fill: #0969da }
.theirs { fill: #8c959f }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .footer { fill: #8d96a0 } }
</style>
"""
