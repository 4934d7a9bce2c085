import pytest

from contactsdk.cli.reasons import Reasons, rows_text


def test_reasons_come_with_their_first_rows_most_frequent_first() -> None:
    reasons = Reasons()
    for row, text in enumerate("abbbbbbb", 2):
        reasons.add(text, row)
    assert reasons.lines() == ["  7 x b (rows 3, 4, 5, 6, 7 and 2 more)", "  1 x a (row 2)"]


def test_no_reasons_are_no_lines() -> None:
    assert Reasons().lines() == []


def test_other_reasons_are_counted() -> None:
    reasons = Reasons()
    for row in range(1, 8):
        reasons.add(f"{row}", row)
    assert reasons.lines(shown=3)[3:] == ["  and 4 with 4 other messages"]


@pytest.mark.parametrize(
    ("rows", "count", "text"),
    [((7,), 1, "row 7"), ((7, 8), 2, "rows 7, 8"), ((7, 8), 3, "rows 7, 8 and 1 more")],
)
def test_rows_are_named_for_a_reader(rows: tuple[int, ...], count: int, text: str) -> None:
    assert rows_text(rows, count) == text
