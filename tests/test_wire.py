import contextlib
import copy
import datetime
import json
import time
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from examples import (
    a_contact,
    a_full_contact,
    a_link,
    an_update,
    any_json,
    any_text,
    contacts,
    dates,
    sendable_json,
    strict_json,
)
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    InvalidContactError,
    RateLimitedError,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.models import Contact, CustomField, EmailStatus, ExternalUrl, SmsStatus
from contactsdk.wire import (
    contact_from,
    contacts_from,
    encode,
    is_foreign,
    read_ack,
    read_id,
    server_time,
)

# The two examples of the platform's page "Add or Update Contact", word for word but for a comma
# after the last field of the second, which JSON does not allow.
ADD_EXAMPLE = """
{
  "firstName": "Bobby",
  "lastName": "Smith",
  "email": "bobbysmith@hotmail.com",
  "groups": [
    {
      "groupId": 10
    }
  ],
  "customFields": [
    {
      "fieldId": 33443,
      "value": "No"
    }
  ],
  "companies": [
    4,
    5
  ],
  "status": 2,
  "smsStatus": 2,
  "externalId" : "12345"
}
"""
UPDATE_EXAMPLE = """
{
  "id":33884,
  "firstName":"Bobby",
  "groups":[{"groupId":10}],
  "customFields":[{"fieldId":33443,"value":"No"}],
  "companies":[4,5],
  "status": 2,
  "smsStatus": 2
}
"""
EXAMPLES = [
    pytest.param(
        Contact(
            first_name="Bobby",
            last_name="Smith",
            email="bobbysmith@hotmail.com",
            groups=[10],
            custom_fields={33443: "No"},
            companies=[4, 5],
            status=EmailStatus.UNSUBSCRIBED,
            sms_status=SmsStatus.UNSUBSCRIBED,
            external_id="12345",
        ),
        ADD_EXAMPLE,
        id="add",
    ),
    pytest.param(
        Contact(
            id=33884,
            first_name="Bobby",
            groups=[10],
            custom_fields={33443: "No"},
            companies=[4, 5],
            status=EmailStatus.UNSUBSCRIBED,
            sms_status=SmsStatus.UNSUBSCRIBED,
        ),
        UPDATE_EXAMPLE,
        id="update",
    ),
]

ARABIC_FIVE = "\u0665"  # a digit to int() and str.isdigit(), but not to the platform

WIRE_NAMES = {
    "id": "id",
    "external_id": "externalId",
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "email",
    "phone": "phone",
    "groups": "groups",
    "custom_fields": "customFields",
    "companies": "companies",
    "status": "status",
    "sms_status": "smsStatus",
    "update_if_exists": "updateIfExists",
    "external_urls": "externalUrls",
    "privacy_consent": "privacyConsent",
}


def sent(contact: Contact) -> Any:
    return strict_json(encode(contact))


@pytest.mark.parametrize(("contact", "example"), EXAMPLES)
def test_the_examples_of_the_page_are_sent_as_they_stand_there(
    contact: Contact, example: str
) -> None:
    assert sent(contact) == json.loads(example)


@pytest.mark.parametrize(("contact", "example"), EXAMPLES)
def test_the_examples_of_the_page_are_read_as_contacts(contact: Contact, example: str) -> None:
    assert contact_from(json.loads(example)) == contact


def test_every_field_of_a_contact_has_its_wire_name_here() -> None:
    assert set(WIRE_NAMES) == {field.name for field in attrs.fields(Contact)}


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("external_id", "e", "e"),
        ("first_name", "Ada", "Ada"),
        ("last_name", "Archer", "Archer"),
        ("email", "ada@example.com", "ada@example.com"),
        ("phone", "1", "1"),
        ("phone", "", ""),
        ("groups", [10, 11], [{"groupId": 10}, {"groupId": 11}]),
        ("groups", [], []),
        ("custom_fields", {5: "a"}, [{"fieldId": 5, "value": "a"}]),
        ("custom_fields", {5: None}, [{"fieldId": 5, "value": None}]),
        ("custom_fields", {}, []),
        ("companies", [4, 5], [4, 5]),
        ("companies", [], []),
        ("status", EmailStatus.NO_MARKETING, 5),
        ("sms_status", SmsStatus.FAILED, 3),
        ("update_if_exists", True, True),
        ("update_if_exists", False, False),
        (
            "external_urls",
            [a_link(label="CRM")],
            [{"ref": "crm", "url": "https://crm.example.com/7", "label": "CRM"}],
        ),
        ("external_urls", [a_link()], [{"ref": "crm", "url": "https://crm.example.com/7"}]),
        ("external_urls", [a_link(label="")], [{**attrs.asdict(a_link()), "label": ""}]),
        ("external_urls", [a_link(url=None)], [{"ref": "crm", "url": None}]),
        ("external_urls", [], None),
        ("privacy_consent", False, False),
    ],
)
def test_a_field_is_sent_by_its_wire_name_and_nothing_else_is(
    name: str, value: Any, written: Any
) -> None:
    assert sent(an_update(**{name: value})) == {"id": 7, WIRE_NAMES[name]: written}


def test_an_update_of_nothing_sends_the_id_alone() -> None:
    assert encode(an_update()) == b'{"id":7}'


@pytest.mark.parametrize(
    ("date", "written"),
    [
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.date.min, "0001-01-01"),
        (datetime.date.max, "9999-12-31"),
    ],
)
def test_a_date_is_sent_as_the_platform_writes_dates(date: datetime.date, written: str) -> None:
    assert sent(an_update(custom_fields={5: {"on": [date]}}))["customFields"] == [
        {"fieldId": 5, "value": {"on": [written]}}
    ]


def test_text_is_sent_as_utf_8() -> None:
    assert encode(an_update(first_name="Zoë\U0001f600")) == '{"id":7,"firstName":"Zoë😀"}'.encode()


def test_a_subclass_of_contact_is_sent_as_the_contact_it_is() -> None:
    @attrs.frozen(kw_only=True)
    class Guest(Contact):
        table: int = 0

    assert encode(Guest(id=7, table=3)) == b'{"id":7}'


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


@pytest.mark.parametrize("spell", [int, str, float], ids=["number", "string", "float"])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 429, 500, 503])
@pytest.mark.parametrize(("code", "kind"), BY_ERROR_CODE.items())
def test_an_error_code_decides_whatever_the_status(
    code: int, kind: type[ContactError], status: int, spell: Any
) -> None:
    error = refusal(status, {"errorCode": spell(code), "message": "no", "id": 5, "success": True})
    assert type(error) is kind


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
def test_an_error_code_that_is_no_known_number_leaves_it_uncertain(code: Any) -> None:
    assert type(refusal(404, {"errorCode": code})) is UncertainError


@pytest.mark.parametrize("code", [None, True, False, [], [400], {}, {"code": 400}], ids=repr)
def test_what_is_no_error_code_is_passed_over(code: Any) -> None:
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
@pytest.mark.parametrize(("status", "kind"), BY_STATUS.items())
def test_without_an_object_the_status_decides(
    status: int, kind: type[ContactError], body: bytes
) -> None:
    assert type(refusal(status, body)) is kind


@pytest.mark.parametrize("body", [{}, {"id": 5}, {"success": False}, {"message": "no"}], ids=repr)
@pytest.mark.parametrize(("status", "kind"), BY_STATUS.items())
def test_without_an_error_code_the_status_decides(
    status: int, kind: type[ContactError], body: dict[str, Any]
) -> None:
    assert type(refusal(status, body)) is kind


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


def test_an_error_carries_all_that_the_answer_tells() -> None:
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
        (200, {}, "the answer names no contact id"),
    ],
)
def test_an_error_has_a_message_whatever_came(status: int, body: Any, message: str) -> None:
    assert str(refusal(status, body)) == message


def test_a_redirect_names_where_it_leads() -> None:
    error = refusal(301, b"", {"Location": "https://other.example.com/api"})
    assert "https://other.example.com/api" in str(error)


def test_a_redirect_to_nowhere_is_told_too() -> None:
    assert str(refusal(304, b"")) == "HTTP 304 redirects to nowhere; use that address"


NOW = "Sun, 06 Nov 1994 08:49:37 GMT"
NOW_S = 784111777.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120.0),
        ({"retry-after": " 120 "}, 120.0),
        ({"Retry-After": "0"}, 0.0),
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


def wrong(row: Any) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    """What is found wrong with a row."""
    with pytest.raises(InvalidContactError) as caught:
        contact_from(row)
    return caught.value.errors


@pytest.mark.parametrize(
    "respell", [str, str.lower, str.upper, str.title], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("names", [list(WIRE_NAMES), list(WIRE_NAMES.values())], ids=["py", "wire"])
def test_a_row_is_read_by_either_name_in_any_case(names: list[str], respell: Any) -> None:
    body = sent(a_full_contact())
    values = [body[name] for name in WIRE_NAMES.values()]
    row = {respell(name): value for name, value in zip(names, values, strict=True)}
    assert contact_from(row) == a_full_contact()


def test_a_row_is_read_by_the_odd_name_of_the_parameter_table() -> None:
    assert contact_from({"id": 7, "LastName": "Archer"}) == an_update(last_name="Archer")


def test_an_unknown_key_is_told_with_all_else_that_is_wrong() -> None:
    assert wrong({"id": 7, "fullName": "Ada", "phone": 5}) == (
        (("fullName",), "is not a field of a contact"),
        (("phone",), "must be a string"),
    )


@pytest.mark.parametrize(
    "key", ["", "first name", "surname", "\ud800", 5, None, ("id",)], ids=ascii
)
def test_an_unknown_key_is_refused(key: Any) -> None:
    assert wrong({"id": 7, key: "m4rk"}) == (((str(key),), "is not a field of a contact"),)


@pytest.mark.parametrize("second", ["PHONE", "Phone"])
def test_the_same_field_twice_is_refused(second: str) -> None:
    assert wrong({"id": 7, "phone": "1", second: "2"}) == (((second,), "is there twice"),)


def test_the_same_field_by_both_names_is_refused() -> None:
    row = {"id": 7, "firstName": "Ada", "first_name": "Ada"}
    assert wrong(row) == ((("first_name",), "is there twice"),)


@pytest.mark.parametrize("row", [None, 5, "id", b"id", [["id", 7]], [], True], ids=repr)
def test_a_row_that_is_no_mapping_is_refused(row: Any) -> None:
    assert wrong(row) == (((), "must be a JSON object"),)


@pytest.mark.parametrize("name", sorted(set(WIRE_NAMES) - {"id", "phone", "external_urls"}))
def test_null_is_not_sent(name: str) -> None:
    assert encode(contact_from({"id": 7, "phone": "1", WIRE_NAMES[name]: None})) == (
        b'{"id":7,"phone":"1"}'
    )


def test_a_null_id_makes_it_an_add() -> None:
    assert contact_from({**json.loads(ADD_EXAMPLE), "id": None}).id is None


def test_null_external_urls_clears_them() -> None:
    assert contact_from({"id": 7, "externalUrls": None}).external_urls == ()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"groups": [10, 11]}, {"groups": [10, 11]}),
        ({"groups": [{"groupId": 10}, 11]}, {"groups": [10, 11]}),
        ({"groups": ({"groupId": 10},)}, {"groups": [10]}),
        ({"groups": []}, {"groups": []}),
        ({"companies": [4]}, {"companies": [4]}),
        ({"customFields": {"5": "a", 6: "b"}}, {"custom_fields": {5: "a", 6: "b"}}),
        ({"customFields": [{"fieldId": 5, "value": "a"}]}, {"custom_fields": {5: "a"}}),
        ({"customFields": []}, {"custom_fields": []}),
        (
            {"customFields": [CustomField(field_id=5, value="a")]},
            {"custom_fields": {5: "a"}},
        ),
        (
            {"externalUrls": [{"ref": "crm", "url": None}]},
            {"external_urls": [a_link(url=None)]},
        ),
        (
            {"externalUrls": [{"ref": "crm", "url": "https://crm.example.com/7", "label": "a"}]},
            {"external_urls": [a_link(label="a")]},
        ),
        ({"externalUrls": [a_link()]}, {"external_urls": [a_link()]}),
        ({"externalUrls": []}, {"external_urls": []}),
        ({"status": 2, "smsStatus": 3}, {"status": 2, "sms_status": 3}),
    ],
)
def test_the_parts_of_a_row_are_read(row: dict[str, Any], expected: dict[str, Any]) -> None:
    assert contact_from({"id": 7, **row}) == an_update(**expected)


POSITIVE = "must be a positive integer"


@pytest.mark.parametrize(
    ("row", "problems"),
    [
        ({"groups": "10"}, [(("groups",), "must be an iterable of ids")]),
        ({"groups": [{"groupId": 0}]}, [(("groups", 0), POSITIVE)]),
        ({"groups": [{"groupId": None}]}, [(("groups", 0), POSITIVE)]),
        (
            {"groups": [10, {"groupId": 10, "name": "a"}]},
            [(("groups", 1, "name"), "is not known here")],
        ),
        ({"groups": [{}]}, [(("groups", 0, "groupId"), "is required")]),
        (
            {"groups": [0, {"id": 3}]},
            [
                (("groups", 0), POSITIVE),
                (("groups", 1, "id"), "is not known here"),
                (("groups", 1, "groupId"), "is required"),
            ],
        ),
        ({"customFields": "a"}, [(("custom_fields",), "must be an iterable of CustomField")]),
        ({"customFields": {"x": 1}}, [(("custom_fields", 0, "field_id"), POSITIVE)]),
        ({"customFields": {"9" * 19: 1}}, [(("custom_fields", 0, "field_id"), POSITIVE)]),
        ({"customFields": {ARABIC_FIVE: 1}}, [(("custom_fields", 0, "field_id"), POSITIVE)]),
        (
            {"customFields": [{"fieldId": 5, "value": 1}, {"fieldId": "5", "value": 2**64}]},
            [
                (("custom_fields", 1, "field_id"), POSITIVE),
                (("custom_fields", 1, "value"), "must fit in 64 bits"),
            ],
        ),
        ({"customFields": [{"value": 1}]}, [(("custom_fields", 0, "field_id"), "is required")]),
        (
            {"customFields": [{"fieldId": 5, "value": 1, "name": "a"}, 5]},
            [
                (("custom_fields", 0, "name"), "is not known here"),
                (("custom_fields", 1), "is no CustomField"),
            ],
        ),
        ({"externalUrls": 5}, [(("external_urls",), "must be an iterable of ExternalUrl")]),
        (
            {"externalUrls": [{"url": "http://example.com"}]},
            [
                (("external_urls", 0, "ref"), "is required"),
                (("external_urls", 0, "url"), "must be an https address"),
            ],
        ),
        (
            {"externalUrls": [{"ref": ref, "url": None} for ref in ("a", "b", "c", "")]},
            [
                (("external_urls", 3, "ref"), "is required"),
                (("external_urls",), "must not be more than 3"),
            ],
        ),
        (
            {
                "externalUrls": [
                    {"ref": "a", "url": "http://example.com"},
                    {"ref": "a", "url": None},
                ]
            },
            [
                (("external_urls", 0, "url"), "must be an https address"),
                (("external_urls",), "must not name a ref twice"),
            ],
        ),
        (
            {"externalUrls": [{"ref": "", "url": None}, {"ref": [], "url": None}, {"url": None}]},
            [
                (("external_urls", 0, "ref"), "is required"),
                (("external_urls", 1, "ref"), "must be a string"),
                (("external_urls", 2, "ref"), "is required"),
            ],
        ),
    ],
)
def test_what_is_wrong_with_the_parts_of_a_row_is_told_with_its_position(
    row: dict[str, Any], problems: Any
) -> None:
    assert wrong({"id": 7, **row}) == tuple(problems)


@pytest.mark.parametrize("row", [json.loads(ADD_EXAMPLE), {"id": 7, "groups": [{"groupId": 1}]}])
def test_reading_a_row_leaves_it_as_it_was(row: dict[str, Any]) -> None:
    before = copy.deepcopy(row)
    contact_from(row)
    assert row == before


def test_no_error_of_a_row_holds_one_of_its_values() -> None:
    row = {"id": "m4rk", "phone": ["m4rk"], "nickname": "m4rk", "customFields": {"m4rk": b"m4rk"}}
    with pytest.raises(InvalidContactError) as caught:
        contact_from({**row, "externalUrls": [{"ref": "m4rk", "url": "http://m4rk.example.com"}]})
    assert "m4rk" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


def test_each_row_gives_its_contact_or_what_is_wrong_with_it_in_order() -> None:
    rows: list[Any] = [{"id": 7}, {"id": 0}, None, {"id": 8}]
    read = list(contacts_from(rows))
    assert [getattr(item, "errors", item) for item in read] == [
        Contact(id=7),
        ((("id",), POSITIVE),),
        (((), "must be a JSON object"),),
        Contact(id=8),
    ]


def test_rows_are_read_only_as_contacts_are_asked_for() -> None:
    rows = iter([{"id": 7}, {"id": 8}, {"id": 9}])
    next(contacts_from(rows))
    assert list(rows) == [{"id": 8}, {"id": 9}]


names = st.sampled_from([*WIRE_NAMES, *WIRE_NAMES.values()]) | any_text
nested_parts = st.lists(
    st.dictionaries(
        st.sampled_from(["groupId", "fieldId", "value", "ref", "url", "label"]), any_json
    )
)


@given(st.dictionaries(names, any_json | nested_parts) | any_json)
def test_any_json_row_gives_a_contact_or_says_what_is_wrong(row: Any) -> None:
    with contextlib.suppress(InvalidContactError):
        strict_json(encode(contact_from(row)))


@given(contacts(sendable_json))
def test_a_contact_that_was_written_is_read_back_equal(contact: Contact) -> None:
    assert contact_from(sent(contact)) == contact


@given(contacts(sendable_json | dates | st.lists(dates)))
def test_a_contact_with_dates_that_was_written_is_read_back_to_the_same_body(
    contact: Contact,
) -> None:
    assert encode(contact_from(sent(contact))) == encode(contact)


def test_an_add_is_read_back_as_an_add() -> None:
    assert contact_from(sent(a_contact())).id is None


def test_external_urls_are_read_back_as_external_urls() -> None:
    links = contact_from(sent(an_update(external_urls=[a_link()]))).external_urls
    assert links == (ExternalUrl(ref="crm", url="https://crm.example.com/7"),)
