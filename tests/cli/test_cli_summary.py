from typing import Any

from contactsdk.cli.summary import Tally, summary
from contactsdk.files import Result, State


def a_tally(state: State, messages: list[str]) -> Any:
    tally = Tally()
    for row, message in enumerate(messages, 2):
        tally.add(Result(line=row, row=row, state=state, message=message, reason=message))
    return tally


def test_most_frequent_message_comes_first() -> None:
    text = summary(a_tally(State.FAILED, ["a", "b", "c", "b"] + ["c"] * 10))
    assert "Failed:\n  11 x c (rows 4, 6, 7, 8, 9 and 6 more)\n   2 x b (rows 3, 5)\n" in text
    assert text.endswith("   1 x a (row 2)")


def test_many_messages_are_cut_short() -> None:
    text = summary(a_tally(State.FAILED, [f"no {number}" for number in range(2000)]))
    assert "  1,000 x other messages (rows 1002, " in text
    assert text.count(" x no ") == 24
    assert text.endswith("  and 976 with 976 other messages")


def test_long_run_is_counted_in_minutes() -> None:
    tally = a_tally(State.SUCCEEDED, [""] * 250)
    assert "in 2 min 5 s, 2 contacts per second" in summary(tally, elapsed_s=125)


def test_rows_from_the_journal_are_not_part_of_the_rate() -> None:
    tally = a_tally(State.SUCCEEDED, [""] * 250)
    tally.from_journal = 125
    text = summary(tally, elapsed_s=125)
    assert "125 of them came from the journal and were not sent again\n" in text
    assert "1 contacts per second" in text


def test_uncertain_rows_come_with_what_to_do() -> None:
    assert "look each of them up" in summary(a_tally(State.UNCERTAIN, ["lost"]))


def test_what_is_sent_when_the_run_goes_on_is_counted() -> None:
    tally = Tally()
    for state, refused in [
        (State.FAILED, False),
        (State.FAILED, True),
        (State.NOT_STARTED, False),
        (State.UNCERTAIN, False),
        (State.SUCCEEDED, False),
    ]:
        tally.add(Result(line=2, row=2, state=state, refused=refused))
    assert tally.left == 2


def test_uncertain_rows_come_with_the_way_to_look_them_up() -> None:
    text = summary(a_tally(State.UNCERTAIN, ["lost"]), look_up="This looks them up.")
    assert text.endswith("there may be two of it.\nThis looks them up.")
    assert "looks" not in summary(a_tally(State.FAILED, ["no"]), look_up="This looks them up.")


def test_run_in_which_nothing_was_sent_has_no_rate() -> None:
    tally = a_tally(State.SUCCEEDED, [""] * 3)
    tally.from_journal = 3
    assert summary(tally, elapsed_s=0.0).endswith("in 0.0 s")


def test_summary_says_where_the_contacts_went() -> None:
    text = summary(a_tally(State.SUCCEEDED, [""]), elapsed_s=1, sent_to="https://a.example.com")
    assert text.endswith("\nto https://a.example.com")


def test_summary_of_rows_that_are_all_invalid_does_not_say_where_they_went() -> None:
    tally = Tally()
    tally.add(Result(line=2, row=2, state=State.FAILED, refused=True, reason="email is required"))
    text = summary(tally, elapsed_s=0.1, sent_to="https://a.example.com")
    assert "example.com" not in text
    assert "contacts per second" not in text
