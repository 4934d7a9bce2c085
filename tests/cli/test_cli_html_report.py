import re
from html.parser import HTMLParser

from contactsdk.cli.html_report import html_report
from contactsdk.cli.summary import Tally
from contactsdk.cli.timeline import Span
from contactsdk.files import Result, State

SPANS = (
    Span(start_s=0.0, end_s=1.0, contacts=100, paused_s=0.0),
    Span(start_s=1.0, end_s=3.0, contacts=0, paused_s=2.0),
    Span(start_s=3.0, end_s=4.0, contacts=60, paused_s=0.0),
)


def tally_of(*results: tuple[State, str]) -> Tally:
    tally = Tally()
    for row, (state, reason) in enumerate(results, 2):
        tally.add(Result(line=row, row=row, state=state, message="ada@example.com", reason=reason))
    return tally


def page(
    tally: Tally,
    spans: tuple[Span, ...] = SPANS,
    stopped: str | None = None,
    name: str = "in.csv",
) -> str:
    text = html_report(
        name,
        "https://crm.example.com",
        tally,
        spans,
        elapsed_s=4.0,
        ended_at="2026-11-26 08:00 UTC",
        stopped=stopped,
    )
    Balanced().feed(text)
    return text


class Balanced(HTMLParser):
    """Sees that each element is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


ALL_KINDS = tally_of(
    (State.SUCCEEDED, ""),
    (State.FAILED, "[...] is taken"),
    (State.UNCERTAIN, "sent, but no answer came"),
    (State.NOT_STARTED, "not sent"),
)


def test_page_needs_no_other_resource_and_runs_nothing() -> None:
    text = page(ALL_KINDS, stopped="the platform does not answer")
    text = text.replace('<p class="quiet">To https://crm.example.com.</p>', "")
    assert not re.search(r"<script|<link|<img|@import|url\(|https?:|\son\w+=", text)


def test_page_holds_reasons_with_rows_and_no_messages() -> None:
    text = page(ALL_KINDS)
    assert '<td data-unit=" row:">1</td><td>[...] is taken</td><td>row 3</td>' in text
    assert '<td data-unit=" row:">1</td><td>sent, but no answer came</td><td>row 4</td>' in text
    assert "Look each of them up on the platform" in text
    assert "contactsdk settle" in text
    assert "ada@example.com" not in text


def test_page_about_a_run_that_succeeded_has_no_tables() -> None:
    text = page(tally_of((State.SUCCEEDED, "")))
    assert "<table" not in text
    assert "not started" not in text
    assert "ended early" not in text


def test_page_says_why_a_run_ended_early_and_what_was_left() -> None:
    text = page(ALL_KINDS, stopped="<key>")
    assert "The run ended early: &lt;key&gt;. 1 rows were not sent." in text
    assert page(tally_of(), stopped="x").count("were not sent") == 0


def test_page_says_how_many_rows_came_from_the_journal() -> None:
    tally = tally_of((State.SUCCEEDED, ""), (State.SUCCEEDED, ""))
    tally.from_journal = 1
    assert "1 of the rows came from the journal" in page(tally)


def test_names_and_reasons_cannot_become_markup() -> None:
    text = page(tally_of((State.FAILED, "<b>&\x1b")), name="<i>.csv")
    assert "Import of &lt;i&gt;.csv" in text
    assert "<td>&lt;b&gt;&amp;?</td>" in text


def test_chart_shows_the_speed_and_the_pauses() -> None:
    text = page(ALL_KINDS)
    assert text.count('<rect class="pause"') == 1
    assert ">100 a second<" in text
    assert "The run waited for the platform for 2.0 s in all." in text
    assert "never paused" in page(ALL_KINDS, SPANS[:1])


def test_run_without_progress_has_no_chart() -> None:
    assert "<svg" not in page(ALL_KINDS, ())


def test_scale_of_the_chart_is_a_round_number() -> None:
    spans = (Span(start_s=0.0, end_s=1.0, contacts=4321, paused_s=0.0),)
    assert ">5,000 a second<" in page(ALL_KINDS, spans)


def test_pauses_without_a_gap_are_one_band() -> None:
    spans = [
        Span(start_s=second, end_s=second + 1, contacts=0, paused_s=paused_s)
        for second, paused_s in enumerate([0.0, 1.0, 0.5, 0.0, 1.0])
    ]
    text = page(ALL_KINDS, tuple(spans))
    assert text.count('<rect class="pause"') == 2
    assert ">1 a second<" in text


def test_narrow_page_says_rows_in_the_plural_where_there_are_several() -> None:
    text = page(tally_of(*[(State.FAILED, "is taken")] * 7))
    assert '<td data-unit=" rows:">7</td>' in text


def test_axis_of_the_chart_ends_where_the_run_ended() -> None:
    text = html_report(
        "in.csv",
        "https://crm.example.com",
        ALL_KINDS,
        SPANS,
        elapsed_s=8.0,
        ended_at="2026-11-26 08:00 UTC",
        stopped=None,
    )
    assert "<span>0 s</span><span>8.0 s</span>" in text
    assert "L500.0,100 Z" in text


def test_run_in_which_nothing_was_sent_has_no_rate_and_no_chart() -> None:
    tally = tally_of((State.SUCCEEDED, ""))
    tally.from_journal = 1
    text = page(tally, (Span(start_s=0.0, end_s=1.0, contacts=0, paused_s=0.0),))
    assert "Ended 2026-11-26 08:00 UTC, after 4.0 s.<" in text
    assert "<svg" not in text


def test_report_says_how_rows_are_numbered() -> None:
    # The header need not be row 1: there may be a title above it.
    assert "Rows are numbered as in a spreadsheet. This page" in page(ALL_KINDS)
