from itertools import pairwise

from contactsdk.bulk import Progress
from contactsdk.cli.timeline import Span, Timeline


def progress(elapsed_s: float, done: int, paused_s: float = 0.0) -> Progress:
    return Progress(
        read=done,
        succeeded=done,
        failed=0,
        uncertain=0,
        in_flight=0,
        throttled=0,
        rate_limit_per_s=None,
        is_platform_away=False,
        resumes_in_s=None,
        paused_s=paused_s,
        rate_per_s=0.0,
        elapsed_s=elapsed_s,
    )


def test_span_says_what_happened_in_it() -> None:
    timeline = Timeline()
    timeline.add(progress(0.0, 0))
    timeline.add(progress(1.0, 10))
    timeline.add(progress(3.0, 15, paused_s=1.5))
    assert timeline.spans == (
        Span(start_s=0.0, end_s=1.0, contacts=10, paused_s=0.0),
        Span(start_s=1.0, end_s=3.0, contacts=5, paused_s=1.5),
    )


def test_long_run_has_no_more_spans_than_a_short_one() -> None:
    timeline = Timeline(most=8)
    for tenth in range(1, 10_001):
        timeline.add(progress(tenth / 10, tenth * 3, paused_s=tenth / 20))
    spans = timeline.spans
    assert 2 <= len(spans) <= 8
    assert spans[0].start_s == 0.0
    assert all(one.end_s == other.start_s for one, other in pairwise(spans))
    assert sum(span.contacts for span in spans) == int(spans[-1].end_s * 30 + 0.5)
    assert abs(sum(span.paused_s for span in spans) - spans[-1].end_s / 2) < 0.01


def test_rows_from_the_journal_are_not_part_of_a_span() -> None:
    timeline = Timeline(from_journal=100)
    timeline.add(progress(1.0, 60))
    timeline.add(progress(2.0, 110))
    assert [span.contacts for span in timeline.spans] == [0, 10]
