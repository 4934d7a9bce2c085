import contextlib
import datetime
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.wire import (
    is_foreign,
    read_ack,
    read_id,
    server_time,
)
from tests.examples import (
    any_json,
    any_text,
)

ARABIC_FIVE = "\u0665"  # a digit to int() and str.isdigit(), but not to the platform

JSON_HEADERS = CIMultiDict({"Content-Type": "application/json"})

BY_ERROR_CODE = {
    400: RejectedError,
    404: RejectedError,
    406: RejectedError,
    401: AuthenticationError,
    403: AuthenticationError,
    462: AuthenticationError,
    463: AuthenticationError,
    405: SetupError,
    501: SetupError,
    429: RateLimitedError,
    460: UncertainError,
    461: UncertainError,
    500: UncertainError,
    # No page names these.
    0: UncertainError,
    -400: UncertainError,
    402: UncertainError,
    408: UncertainError,
    409: UncertainError,
    503: UncertainError,
    24096: UncertainError,
    10**30: UncertainError,
}
BY_STATUS = {
    **dict.fromkeys([300, 301, 302, 303, 304, 307, 308, 399], SetupError),
    **dict.fromkeys([401, 403], AuthenticationError),
    **dict.fromkeys([404, 405, 407, 415, 421], SetupError),
    **dict.fromkeys([408, 425, 503], UnavailableError),
    429: RateLimitedError,
    **dict.fromkeys([400, 409, 413, 422], RejectedError),
    **dict.fromkeys([402, 406, 410, 418, 431, 451, 460, 462, 463, 499], UncertainError),
    **dict.fromkeys([500, 501, 502, 504, 520, 599], UncertainError),
    # No statuses of an answer at all.
    **dict.fromkeys([0, 100, 199, 600, 999], UncertainError),
}


def refusal(
    status: int, body: bytes | dict[str, Any], headers: dict[str, str] | None = None
) -> ContactError:
    """The error that an answer is read as."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ContactError) as caught:
        read_id(status, CIMultiDict(headers or {}), content)
    return caught.value


@pytest.mark.parametrize(("code", "kind"), BY_ERROR_CODE.items())
def test_an_error_code_decides_whatever_the_status(code: int, kind: type[ContactError]) -> None:
    for status in (200, 302, 400, 401, 404, 429, 500, 503):
        for spelled in (code, str(code), float(code)):
            answer = {"errorCode": spelled, "message": "no", "id": 5, "success": True}
            assert type(refusal(status, answer)) is kind, (status, spelled)


@pytest.mark.parametrize(("code", "kind"), BY_ERROR_CODE.items())
def test_an_error_code_decides_at_its_own_status(code: int, kind: type[ContactError]) -> None:
    assert type(refusal(code, {"errorCode": code, "message": "no"})) is kind


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        (404, 404),
        ("404", 404),
        (404.0, 404),
        (404.5, "404.5"),
        ("", ""),
        ("not found", "not found"),
        (" 404", " 404"),
        ("-404", "-404"),
        (ARABIC_FIVE, ARABIC_FIVE),
    ],
)
def test_an_error_code_is_kept_as_a_number_where_it_is_one(code: Any, kept: Any) -> None:
    assert refusal(200, {"errorCode": code}).error_code == kept


@pytest.mark.parametrize("code", ["", "not found", " 404", "-404", ARABIC_FIVE, 404.5], ids=repr)
def test_an_error_code_that_is_not_a_known_number_leaves_it_uncertain(code: Any) -> None:
    assert type(refusal(404, {"errorCode": code})) is UncertainError


@pytest.mark.parametrize("code", [None, True, False, [], [400], {}, {"code": 400}], ids=repr)
def test_what_is_not_an_error_code_is_ignored(code: Any) -> None:
    assert read_id(200, JSON_HEADERS, json.dumps({"errorCode": code, "id": 5}).encode()) == 5


BODIES_WITHOUT_AN_OBJECT = [
    pytest.param(b"", id="empty"),
    pytest.param(b"   ", id="blank"),
    pytest.param(b"<html><body>502 Bad Gateway</body></html>", id="html"),
    pytest.param(b'{"id": 338', id="cut off"),
    pytest.param(b'{"id": 33884}{', id="trailing"),
    pytest.param(b'{"id": NaN}', id="nan"),
    pytest.param(b"[33884]", id="list"),
    pytest.param(b'[{"errorCode": 400}]', id="list of objects"),
    pytest.param(b"33884", id="number"),
    pytest.param(b'"33884"', id="string"),
    pytest.param(b"true", id="true"),
    pytest.param(b"null", id="null"),
    pytest.param(b"\xff\xfe\x00", id="not utf-8"),
    pytest.param('{"id": 33884}'.encode("utf-16"), id="utf-16"),
    pytest.param(b'{"message": "\\ud800", "id": 1}', id="lone surrogate"),
    pytest.param(b"[" * 100_000, id="too deep"),
]


@pytest.mark.parametrize("body", BODIES_WITHOUT_AN_OBJECT)
def test_without_an_object_the_status_decides(body: bytes) -> None:
    for status, kind in BY_STATUS.items():
        assert type(refusal(status, body)) is kind, status


@pytest.mark.parametrize("body", [{}, {"id": 5}, {"success": False}, {"message": "no"}], ids=repr)
def test_without_an_error_code_the_status_decides(body: dict[str, Any]) -> None:
    for status, kind in BY_STATUS.items():
        assert type(refusal(status, body)) is kind, status


@pytest.mark.parametrize("body", BODIES_WITHOUT_AN_OBJECT)
def test_a_success_without_an_object_is_uncertain(body: bytes) -> None:
    assert type(refusal(200, body)) is UncertainError


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
@pytest.mark.parametrize(
    ("body", "contact_id"),
    [
        ({"id": 33884}, 33884),
        ({"id": 33884, "success": True}, 33884),
        ({"id": "33884"}, 33884),
        ({"id": "007"}, 7),
        ({"id": 1}, 1),
        ({"id": 2**63 - 1}, 2**63 - 1),
        ({"id": 5, "success": None, "message": "saved", "other": [1]}, 5),
        ({"id": 5, "success": "yes"}, 5),
    ],
    ids=repr,
)
def test_a_success_with_an_id_gives_the_id(
    body: dict[str, Any], contact_id: int, status: int
) -> None:
    assert read_id(status, JSON_HEADERS, json.dumps(body).encode()) == contact_id


@pytest.mark.parametrize(
    "id_",
    [
        0,
        -1,
        5.5,
        5.0,
        True,
        False,
        None,
        "",
        "0",
        "000",
        "-5",
        "5.5",
        " 5",
        "x",
        ARABIC_FIVE,
        [5],
        {"id": 5},
        10**30,
        "9" * 30,
    ],
    ids=repr,
)
def test_a_success_without_a_positive_id_is_uncertain(id_: Any) -> None:
    assert type(refusal(200, {"id": id_})) is UncertainError


@pytest.mark.parametrize("body", [{}, {"success": True}, {"ID": 5}, {"message": "saved"}], ids=repr)
def test_a_success_that_names_no_id_is_uncertain(body: dict[str, Any]) -> None:
    assert type(refusal(200, body)) is UncertainError


@pytest.mark.parametrize("body", [{}, {"id": 5}, {"id": None}], ids=repr)
def test_success_false_is_a_refusal_with_the_platforms_message(body: dict[str, Any]) -> None:
    error = refusal(200, {**body, "success": False, "message": "no such company"})
    assert (type(error), str(error)) == (RejectedError, "no such company")


@pytest.mark.parametrize("specific", [23005, "23005", 23005.0], ids=repr)
@pytest.mark.parametrize("code", [400, 401, 460, 500, "unheard of"])
def test_a_stale_date_is_the_clocks_fault_whatever_the_error_code(code: Any, specific: Any) -> None:
    error = refusal(200, {"errorCode": code, "specificCode": specific, "message": "stale"})
    assert (type(error), error.specific_code) == (AuthenticationError, 23005)


def test_an_error_carries_all_that_the_answer_says() -> None:
    error = refusal(
        400,
        {
            "errorCode": 400,
            "message": "'id' does not validate",
            "specificCode": 23016,
            "additionalMessages": ["Value must be a whole number"],
        },
        {"Retry-After": "7"},
    )
    assert vars(error) == {
        "message": "'id' does not validate",
        "http_status": 400,
        "error_code": 400,
        "specific_code": 23016,
        "additional_messages": ("Value must be a whole number",),
        "retry_after_s": 7.0,
        "attempts": 0,
    }


@pytest.mark.parametrize("specific", [None, True, "", "x", 5.5, [], {}], ids=repr)
def test_an_odd_specific_code_is_left_out(specific: Any) -> None:
    assert refusal(400, {"errorCode": 400, "specificCode": specific}).specific_code is None


@pytest.mark.parametrize(
    ("sent_messages", "kept"),
    [
        (None, ()),
        ("one", ()),
        ({"a": "b"}, ()),
        ([], ()),
        (["one", "two"], ("one", "two")),
        ([1, None, {"a": 1}], ("1", "None", "{'a': 1}")),
    ],
    ids=repr,
)
def test_additional_messages_are_strings_or_left_out(sent_messages: Any, kept: Any) -> None:
    error = refusal(200, {"errorCode": 400, "additionalMessages": sent_messages})
    assert error.additional_messages == kept


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, {"errorCode": 400}, "error 400"),
        (200, {"errorCode": 400, "message": ""}, "error 400"),
        (200, {"errorCode": 400, "message": 5}, "error 400"),
        (302, {"errorCode": 400, "message": "no"}, "no"),
        (400, {"message": "no"}, "no"),
        (502, b"<html>", "HTTP 502 without a readable answer"),
        (200, b"", "HTTP 200 without a readable answer"),
        (200, {}, "the answer contains no contact id"),
    ],
)
def test_an_error_has_a_message_whatever_came(status: int, body: Any, message: str) -> None:
    assert str(refusal(status, body)) == message


def test_a_redirect_names_where_it_leads() -> None:
    error = refusal(301, b"", {"Location": "https://other.example.com/api"})
    assert "https://other.example.com/api" in str(error)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://example.com/caf\udce9", "https://example.com/caf\ufffd"),
        ("https://example.com/\x1b[31m\x00", "https://example.com/\ufffd[31m\ufffd"),
        ("https://example.com/\u202egpj.exe", "https://example.com/\ufffdgpj.exe"),
    ],
    ids=["no utf-8", "control characters", "direction"],
)
def test_where_a_redirect_leads_is_shown_as_printable_text(location: str, shown: str) -> None:
    message = str(refusal(301, b"", {"Location": location}))
    assert message == f"HTTP 301 redirects to {shown}; use that address"


def test_a_redirect_that_does_not_say_where_is_reported_too() -> None:
    assert str(refusal(304, b"")) == "HTTP 304 redirects and does not say where; check base_url"


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, ""),
        (401, "; check key and secret, or a firewall on the way"),
        (403, "; check key and secret, or a firewall on the way"),
        (404, "; check base_url"),
        (405, "; check base_url"),
        (407, "; check the user and password of the proxy"),
        (413, "; the request is too large"),
        (421, "; check base_url"),
        (500, ""),
        (503, "; try again later"),
    ],
)
def test_unreadable_answer_says_what_its_status_asks_for(status: int, advice: str) -> None:
    assert str(refusal(status, b"<html>")) == f"HTTP {status} without a readable answer{advice}"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"caf\xe9 does not validate", "caf\ufffd does not validate"),
        (b"\\ud800 does not validate", "\ufffd does not validate"),
        (b"\\u001b[31mno\\u0000", "\ufffd[31mno\ufffd"),
        (b"a\x00b\x1b", "a\ufffdb\ufffd"),
        (b"first\\nsecond\\tthird", "first second third"),
        (b"first\nsecond", "first second"),
        (b"\\u202eon", "\ufffdon"),
        ("Zoë 😀".encode(), "Zoë 😀"),
    ],
    ids=repr,
)
def test_messages_of_the_platform_become_printable_text(raw: bytes, shown: str) -> None:
    body = b'{"errorCode": 400, "message": "%s", "additionalMessages": ["%s"]}' % (raw, raw)
    error = refusal(200, body)
    assert (type(error), error.message) == (RejectedError, shown)
    assert error.additional_messages == (shown,)


def test_an_odd_error_code_is_printable_text_too() -> None:
    assert refusal(200, b'{"errorCode": "\\u001bno"}').error_code == "\ufffdno"


@pytest.mark.parametrize("body", [b'{"id": 5, "note": "\xe9"}', b'{"id": 5, "note": "\\ud800"}'])
def test_a_success_whose_text_is_not_valid_json_is_uncertain(body: bytes) -> None:
    assert type(refusal(200, body)) is UncertainError


def test_a_refusal_by_success_false_counts_in_text_that_is_not_utf_8() -> None:
    error = refusal(200, b'{"success": false, "message": "caf\xe9"}')
    assert (type(error), error.message) == (RejectedError, "caf\ufffd")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_body_with_a_number_that_json_does_not_have_refuses_nothing(number: str) -> None:
    assert type(refusal(200, f'{{"errorCode": 400, "x": {number}}}'.encode())) is UncertainError


def test_a_success_after_a_byte_order_mark_is_read() -> None:
    assert read_id(200, JSON_HEADERS, b'\xef\xbb\xbf{"id": 5}') == 5


@pytest.mark.parametrize("text", [b"no", b"\xe9"])
def test_a_refusal_after_a_byte_order_mark_is_read(text: bytes) -> None:
    body = b'\xef\xbb\xbf{"errorCode": 400, "message": "%s"}' % text
    assert type(refusal(200, body)) is RejectedError


def test_additional_messages_that_are_nested_too_deeply_cause_no_error_of_ours() -> None:
    body = b'{"errorCode": 400, "additionalMessages": [%s%s]}' % (b"[" * 1000, b"]" * 1000)
    error = refusal(200, body)  # how deep is too deep is up to the version of Python
    assert (type(error), len(error.additional_messages)) == (RejectedError, 1)


NOW = "Sun, 06 Nov 1994 08:49:37 GMT"
NOW_S = 784111777.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120.0),
        ({"retry-after": " 120 "}, 120.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "2.0"}, 2.0),
        ({"Retry-After": "2."}, None),
        ({"Retry-After": "Sun, 06 Nov 1994 08:51:37 GMT", "Date": NOW}, 120.0),
        ({"Retry-After": "Sunday, 06-Nov-94 08:51:37 GMT", "Date": NOW}, 120.0),
        ({"Retry-After": "Sun Nov  6 08:51:37 1994", "Date": NOW}, 120.0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:40:00 GMT", "Date": NOW}, 0.0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:51:37 GMT"}, None),
        ({"Retry-After": "Sun, 06 Nov 1994 08:51:37 GMT", "Date": "today"}, None),
        ({"Retry-After": "", "Date": NOW}, None),
        ({"Retry-After": "soon", "Date": NOW}, None),
        ({"Retry-After": "-5", "Date": NOW}, None),
        ({"Retry-After": "1.5", "Date": NOW}, None),
        ({"Retry-After": "1e9", "Date": NOW}, None),
        ({"Retry-After": "Infinity", "Date": NOW}, None),
        ({"Retry-After": "9" * 400, "Date": NOW}, None),
        ({"Retry-After": ARABIC_FIVE, "Date": NOW}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert refusal(429, b"", headers).retry_after_s == seconds


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        (NOW, NOW_S),
        ("Sunday, 06-Nov-94 08:49:37 GMT", NOW_S),
        ("Sun Nov  6 08:49:37 1994", NOW_S),
        ("Sun, 06 Nov 1994 08:49:37 -0000", NOW_S),
        ("Sun, 06 Nov 1994 10:49:37 +0200", NOW_S),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 253402387139.0),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 +9999999999", None),
        ("Sun, 41 Nov 1994 08:49:37 GMT", None),
        ("784111777", None),
        ("", None),
    ],
)
def test_the_platforms_clock_is_read_from_the_date_header(date: str, seconds: float | None) -> None:
    assert server_time(CIMultiDict({"date": date})) == seconds


def test_without_a_date_header_the_platforms_clock_is_unknown() -> None:
    assert server_time(CIMultiDict()) is None


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "XXX-11")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_greenwich")
def test_a_date_without_a_zone_is_in_gmt_wherever_this_machine_is() -> None:
    assert server_time(CIMultiDict({"Date": "Sun Nov  6 08:49:37 1994"})) == NOW_S


@pytest.mark.parametrize("ack", ["2012-04-03 22:23:24", "2012-04-03 22:23:24 UTC"])
def test_a_ping_is_answered_with_the_time_in_utc(ack: str) -> None:
    assert read_ack(200, JSON_HEADERS, json.dumps({"ack": ack}).encode()) == datetime.datetime(
        2012, 4, 3, 22, 23, 24, tzinfo=datetime.UTC
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": 5},
        {"ack": None},
        {"ack": ""},
        {"ack": 5},
        {"ack": []},
        {"ack": "2012-04-03"},
        {"ack": "2012-13-03 22:23:24"},
        {"ack": "2012-04-03 22:23:61"},
        {"ack": "2012-04-03 22:23:24 GMT"},
        {"ack": ["2012-04-03 22:23:24"]},
    ],
    ids=repr,
)
def test_a_ping_without_a_time_is_uncertain(body: dict[str, Any]) -> None:
    with pytest.raises(UncertainError, match="no time"):
        read_ack(200, JSON_HEADERS, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"errorCode": 401}', AuthenticationError),
        (404, b"", SetupError),
        (503, b"", UnavailableError),
        (200, b"<html>", UncertainError),
    ],
)
def test_a_refused_ping_is_read_like_any_other_answer(
    status: int, body: bytes, kind: type[ContactError]
) -> None:
    with pytest.raises(ContactError) as caught:
        read_ack(status, JSON_HEADERS, body)
    assert type(caught.value) is kind


@pytest.mark.parametrize("status", [403, 404, 405])
@pytest.mark.parametrize("body", [b"<html>", b"", {}, {"message": "no"}, {"errorCode": None}])
def test_a_403_404_or_405_without_the_platforms_error_code_is_foreign(
    status: int, body: Any
) -> None:
    assert is_foreign(refusal(status, body))


@pytest.mark.parametrize("code", [403, "404", 405, "unheard of"])
@pytest.mark.parametrize("status", [200, 403, 404, 405])
def test_an_answer_with_an_error_code_is_not_foreign(status: int, code: Any) -> None:
    assert not is_foreign(refusal(status, {"errorCode": code}))


@pytest.mark.parametrize("status", [200, 301, 400, 401, 429, 500, 503])
def test_an_answer_of_another_status_is_not_foreign(status: int) -> None:
    assert not is_foreign(refusal(status, b"<html>"))


header_values = any_text | st.sampled_from(["7", "-7", NOW, "Sun Nov  6 08:49:37 1994"])
any_headers = st.dictionaries(
    st.sampled_from(["Date", "retry-after", "Location", "Content-Type"]), header_values
).map(CIMultiDict)
answers = st.dictionaries(
    st.sampled_from(
        ["id", "ack", "success", "message", "errorCode", "specificCode", "additionalMessages"]
    ),
    any_json | st.sampled_from([400, "400", 23005, 5, "5"]),
).map(lambda answer: json.dumps(answer).encode())
any_body = st.binary() | answers


@example(200, CIMultiDict(), b'{"id": 1e400}')
@example(200, CIMultiDict(), b'{"errorCode": 1e300, "specificCode": -1e300}')
@given(st.integers(100, 599) | st.integers() | st.just(200), any_headers, any_body)
def test_any_answer_gives_an_id_or_a_contact_error(
    status: int, headers: CIMultiDict[str], body: bytes
) -> None:
    with contextlib.suppress(ContactError):
        contact_id = read_id(status, headers, body)
        assert (type(contact_id), contact_id > 0) == (int, True)


@given(st.integers(100, 599) | st.just(200), any_headers, any_body)
def test_any_answer_to_a_ping_gives_a_time_or_a_contact_error(
    status: int, headers: CIMultiDict[str], body: bytes
) -> None:
    with contextlib.suppress(ContactError):
        assert read_ack(status, headers, body).tzinfo is datetime.UTC


@given(st.integers().filter(lambda status: not 200 <= status <= 299), any_headers, any_body)
def test_no_answer_but_a_2xx_gives_an_id(
    status: int, headers: CIMultiDict[str], body: bytes
) -> None:
    with pytest.raises(ContactError):
        read_id(status, headers, body)
