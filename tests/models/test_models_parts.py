import datetime
from collections import OrderedDict, UserDict
from types import MappingProxyType
from typing import Any

import pytest

from contactsdk.errors import InvalidContactError
from contactsdk.models import CustomField
from tests.examples import (
    a_link,
)


class Fraction(float):
    pass


class Day(datetime.date):
    pass


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (True, True),
        (0, 0),
        (-(2**63), -(2**63)),
        (2**64 - 1, 2**64 - 1),
        (1.5, 1.5),
        ("", ""),
        ("é\U0001f600", "é\U0001f600"),
        ([], ()),
        (["red", ["blue"]], ("red", ("blue",))),
        ({}, {}),
        ({"line1": "1 Main St", "tags": ["a"]}, {"line1": "1 Main St", "tags": ("a",)}),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=MappingProxyType({"b": [1]})), {"a": {"b": (1,)}}),
        (datetime.date(2026, 11, 2), datetime.date(2026, 11, 2)),
        ({"on": [datetime.date(2026, 11, 2)]}, {"on": (datetime.date(2026, 11, 2),)}),
    ],
)
def test_a_custom_field_takes_any_json_value_or_a_date(value: Any, kept: Any) -> None:
    assert CustomField(field_id=1, value=value).value == kept


@pytest.mark.parametrize(
    ("value", "kind"), [(Fraction(1.5), float), (Day(2026, 11, 2), datetime.date)]
)
def test_subclasses_that_the_encoder_does_not_take_become_their_plain_kind(
    value: Any, kind: type
) -> None:
    kept = CustomField(field_id=1, value=[value]).value[0]
    assert (type(kept), kept) == (kind, value)


def test_a_value_that_is_there_twice_is_not_taken_for_a_circle() -> None:
    shared = ["a"]
    assert CustomField(field_id=1, value=[shared, shared]).value == (("a",), ("a",))


@pytest.mark.parametrize("field_id", [None, ""])
def test_a_custom_field_needs_its_id(field_id: Any) -> None:
    with pytest.raises(InvalidContactError) as caught:
        CustomField(field_id=field_id, value=1)
    assert caught.value.errors == ((("field_id",), "is required"),)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "HTTPS://example.com/a?b=c#d",
        "https://[2001:db8::1]:8443/",
        "https://exämple.com/ü",
    ],
)
def test_an_external_url_is_kept_as_given(url: str) -> None:
    assert a_link(url=url).url == url


def test_an_external_url_without_a_url_removes_it() -> None:
    assert a_link(url=None).url is None


HTTPS = "must be an https address"


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"ref": ""}, [(("ref",), "is required")]),
        ({"ref": None}, [(("ref",), "is required")]),
        ({"ref": 5}, [(("ref",), "must be a string")]),
        ({"ref": "\ud800"}, [(("ref",), "must not hold lone surrogates")]),
        ({"label": 5}, [(("label",), "must be a string")]),
        ({"url": ""}, [(("url",), HTTPS)]),
        ({"url": "http://example.com"}, [(("url",), HTTPS)]),
        ({"url": "ftp://example.com"}, [(("url",), HTTPS)]),
        ({"url": "example.com"}, [(("url",), HTTPS)]),
        ({"url": "https://"}, [(("url",), HTTPS)]),
        ({"url": "https:///path"}, [(("url",), HTTPS)]),
        ({"url": "https://[::1"}, [(("url",), HTTPS)]),
        ({"url": 5}, [(("url",), "must be a string"), (("url",), HTTPS)]),
        (
            {"ref": "", "url": "http://example.com", "label": 5},
            [(("ref",), "is required"), (("url",), HTTPS), (("label",), "must be a string")],
        ),
    ],
)
def test_a_wrong_external_url_is_refused(changes: Any, problems: Any) -> None:
    with pytest.raises(InvalidContactError) as caught:
        a_link(**changes)
    assert caught.value.errors == tuple(problems)


def test_an_external_url_holds_no_lone_surrogates() -> None:
    with pytest.raises(InvalidContactError) as caught:
        a_link(url="https://example.com/\ud800")
    assert (("url",), "must not hold lone surrogates") in caught.value.errors
