import datetime
import math
from typing import Any

import pytest
from hypothesis import given

from contactsdk.wire.equality import same_email, same_phone, same_value
from tests.examples import any_json, sendable_json


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Ada", " Ada\n"),
        ("Ada  B", "Ada\xa0B"),
        ("Zoe\u0308", "Zoë"),
        (33, "33"),
        ("33", 33),
        (33.0, 33),
        (1.5, "1.5"),
        (True, 1),
        (False, "0"),
        (datetime.date(2026, 11, 2), "2026-11-02"),
        (None, ""),
        ("", None),
        (None, []),
        ([], None),
        ({}, []),
        ("  ", None),
        (["red", "blue"], ["blue", " red"]),
        ((1, 2), ["2", "1"]),
        ([{"a": 1}, {"b": 2}], [{"a": "1"}, {"b": 2, "c": 3}]),
        ({"city": "Perth", "line1": "1 Main St"}, {"line1": "1 Main St ", "city": "Perth", "x": 1}),
        ({"line2": ""}, {"line2": None}),
        ({"line2": ""}, {"line1": "a"}),
    ],
    ids=repr,
)
def test_a_value_that_came_back_normalised_is_the_same(sent: Any, shown: Any) -> None:
    assert same_value(sent, shown)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Ada", "ada"),
        ("Ada", "Ad a"),
        ("007", 7),
        ("Ada", None),
        (None, "Ada"),
        ("", "Ada"),
        (0, None),
        (0, ""),
        ("red", ["red"]),
        (["red"], "red"),
        (["red"], ["red", "blue"]),
        (["red", "red"], ["red", "blue"]),
        (["red"], None),
        ([], ["red"]),
        ([{"a": 1}], [{"a": 2}]),
        ([{"a": 1}], [{"a": 1}, {"a": 1}]),
        ([{"a": 1}], ["a"]),
        ({"city": "Perth"}, {"city": "Sydney"}),
        ({"city": "Perth"}, {}),
        ({"city": "Perth"}, None),
        ({"city": "Perth"}, "Perth"),
        ("Perth", {"city": "Perth"}),
        (math.inf, "Infinity"),
    ],
    ids=repr,
)
def test_another_value_is_not_the_same(sent: Any, shown: Any) -> None:
    assert not same_value(sent, shown)


@pytest.mark.parametrize("shown", ["ada@example.com", "ADA@Example.com", " ada@example.com "])
def test_an_email_is_the_same_in_any_case(shown: str) -> None:
    assert same_email("Ada@example.com", shown)


@pytest.mark.parametrize("shown", ["bo@example.com", "", None, 5, ["ada@example.com"]], ids=repr)
def test_another_email_is_not_the_same(shown: Any) -> None:
    assert not same_email("ada@example.com", shown)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("+61 (400) 000-000", "61400000000"),
        ("+61 400 000 000", 61400000000),
        ("0400 000 000", 400000000),
        ("", None),
        ("none", " none"),
    ],
)
def test_a_phone_number_is_the_same_by_its_digits(sent: str, shown: Any) -> None:
    assert same_phone(sent, shown)


@pytest.mark.parametrize(
    ("sent", "shown"), [("61400", "61401"), ("61400", None), ("", "61400"), ("none", "some")]
)
def test_another_phone_number_is_not_the_same(sent: str, shown: Any) -> None:
    assert not same_phone(sent, shown)


@given(sendable_json)
def test_a_value_that_comes_back_as_it_was_is_the_same(value: Any) -> None:
    assert same_value(value, value)


@given(sendable_json, any_json)
def test_any_two_values_can_be_compared(sent: Any, shown: Any) -> None:
    assert same_value(sent, shown) in (True, False)
