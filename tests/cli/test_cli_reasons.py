import pytest

from contactsdk.cli.reasons import Reasons, rows_text


def test_reasons_come_with_their_first_rows_most_frequent_first() -> None:
    reasons = Reasons()
    for row, text in enumerate("abbbbbbb", 2):
        reasons.add(text, row)
    assert reasons.lines() == ["  7 x b (rows 3, 4, 5, 6, 7 and 2 more)", "  1 x a (row 2)"]


def test_no_reasons_give_no_lines() -> None:
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


def test_what_was_written_is_said_where_cells_hold_a_choice() -> None:
    reasons = Reasons()
    for row, cell in enumerate(["yes", "active", "active", "x" * 50], 2):
        reasons.add("status must be one of 1", row, [cell])
    reasons.add("email is required", 9)
    assert reasons.lines() == [
        "  4 x status must be one of 1 (rows 2, 3, 4, 5)",
        f"      written there: 'active' (2 x), 'yes' (1 x), '{'x' * 40}' (1 x)",
        "  1 x email is required (row 9)",
    ]


def test_of_many_different_cells_a_hundred_are_counted() -> None:
    reasons = Reasons()
    for row in range(200):
        reasons.add("groups", row, [f"group {row}"])
    [reason] = reasons
    assert reason.cells.total() == 100
    assert reasons.lines()[1].endswith("'group 4' (1 x) and others")
