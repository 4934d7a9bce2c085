import datetime
import math
from typing import Any

import pytest
from hypothesis import given

from contactsdk.wire.values import (
    encode_timestamp,
    positive_id,
    printable,
    seconds,
    timestamp,
    whole_number,
)
from tests.examples import any_json, any_text, utc_times

ARABIC_FIVE = "\u0665"  # a digit to int() and str.isdigit(), but not to the platform


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (-5, -5),
        (5.0, 5),
        ("5", 5),
        ("007", 7),
        (5.5, None),
        (1e300, None),
        (math.inf, None),
        (math.nan, None),
        ("-5", None),
        ("5.0", None),
        ("9" * 19, None),
        (ARABIC_FIVE, None),
        ("", None),
        (True, None),
        (None, None),
        ([5], None),
    ],
    ids=repr,
)
def test_a_whole_number_is_read_from_a_number_or_its_digits(value: Any, number: Any) -> None:
    assert whole_number(value) == number


@pytest.mark.parametrize(
    ("value", "contact_id"),
    [
        (1, 1),
        ("5", 5),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (0, None),
        ("0", None),
        (-1, None),
        (5.0, None),
        (True, None),
        (ARABIC_FIVE, None),
        (None, None),
    ],
    ids=repr,
)
def test_an_id_is_a_positive_integer_or_its_digits(value: Any, contact_id: Any) -> None:
    assert positive_id(value) == contact_id


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [("2", 2.0), ("2.0", 2.0), ("2.5", None), ("2.", None), ("-2", None), ("2 ", None), ("", None)],
)
def test_seconds_are_digits_perhaps_with_a_fraction_of_zero(text: str, wait_s: Any) -> None:
    assert seconds(text) == wait_s


@pytest.mark.parametrize("value", ["Zoë 😀", "", 5, 1.5, None, {"a": 1}], ids=repr)
def test_what_is_printable_stays_as_it_is(value: Any) -> None:
    assert printable(value) == str(value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\nc\td", "a b  c d"),
        ("a\xa0b\u2028c", "a b c"),
        ("\x00\x1b[0m\x7f\x9b", "\ufffd\ufffd[0m\ufffd\ufffd"),
        ("caf\udce9", "caf\ufffd"),
        ("\u202eabc\u200b", "\ufffdabc\ufffd"),
    ],
    ids=ascii,
)
def test_what_cannot_be_printed_becomes_a_blank_or_a_replacement(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(any_text)
def test_any_text_becomes_one_line_that_can_be_printed(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    shown.encode()


def test_what_is_nested_too_deeply_for_a_text_says_so() -> None:
    class Deep:
        def __str__(self) -> str:
            raise RecursionError

    assert printable(Deep()) == "(nested too deeply to be shown)"


@pytest.mark.parametrize("text", ["2026-11-02 03:04:05", "2026-11-02 03:04:05 UTC"])
def test_a_timestamp_is_in_utc(text: str) -> None:
    assert timestamp(text) == datetime.datetime(2026, 11, 2, 3, 4, 5, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "2026-11-02",
        "2026-11-02T03:04:05",
        "2026-11-02 03:04:05 GMT",
        "0000-00-00 00:00:00",
        5,
        None,
        True,
        ["2026-11-02 03:04:05"],
    ],
    ids=repr,
)
def test_other_values_are_not_timestamps(value: Any) -> None:
    assert timestamp(value) is None


def test_a_timestamp_is_written_in_utc_without_fractions() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=10))
    time = datetime.datetime(2026, 11, 2, 3, 4, 5, 999_999, zone)
    assert encode_timestamp(time) == "2026-11-01 17:04:05"


@given(utc_times)
def test_a_timestamp_that_was_written_is_read_back_to_the_second(time: datetime.datetime) -> None:
    assert timestamp(encode_timestamp(time)) == time.replace(microsecond=0)


@given(any_json)
def test_any_json_value_can_be_shown(value: Any) -> None:
    assert printable(value).isprintable()
