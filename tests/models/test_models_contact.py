import contextlib
import copy
import datetime
import enum
import math
import pickle
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import attrs
import email_validator
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.errors import InvalidContactError
from contactsdk.models import (
    Contact,
    CustomField,
    EmailStatus,
    ExternalUrl,
    SmsStatus,
    key_of,
)
from contactsdk.wire import encode
from tests.examples import (
    a_contact,
    a_full_contact,
    a_link,
    an_update,
    any_json,
    contacts,
    dates,
    nested,
    sendable_json,
    strict_json,
)

FIELDS = tuple(field.name for field in attrs.fields(Contact))


class Fraction(float):
    pass


class Number(enum.IntEnum):
    TEN = 10


class Undecided:
    """Like pandas' NA: equal to nothing and unequal to nothing."""

    def __eq__(self, other: object) -> Any:
        return self

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("neither true nor false")


def wrong(**values: Any) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    """What is found wrong with a contact of these values."""
    with pytest.raises(InvalidContactError) as caught:
        Contact(**values)
    return caught.value.errors


def wrong_update(**values: Any) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    return wrong(**{"id": 7, **values})


def test_a_field_that_is_not_given_is_none() -> None:
    given_none = dict.fromkeys(set(FIELDS) - {"id"})
    assert attrs.asdict(an_update()) == {"id": 7, **given_none}


def test_a_contact_takes_keywords_only() -> None:
    with pytest.raises(TypeError):
        Contact(7)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["groups", "companies"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: [10, 11],
        lambda: (10, 11),
        lambda: iter([10, 11]),
        lambda: (number for number in (10, 11)),
        lambda: range(10, 12),
        lambda: {10: "a", 11: "b"}.keys(),
        lambda: [Number.TEN, 11],
    ],
    ids=["list", "tuple", "iterator", "generator", "range", "keys", "int-enum"],
)
def test_ids_are_taken_from_any_iterable_and_kept_as_a_tuple(name: str, make: Any) -> None:
    assert getattr(an_update(**{name: make()}), name) == (10, 11)


@pytest.mark.parametrize("name", ["groups", "companies"])
def test_a_set_of_ids_is_kept_whole(name: str) -> None:
    kept = getattr(an_update(**{name: {10, 11}}), name)
    assert (type(kept), set(kept)) == (tuple, {10, 11})


@pytest.mark.parametrize("name", ["groups", "custom_fields", "companies", "external_urls"])
@pytest.mark.parametrize("empty", [[], (), set(), iter(())], ids=["list", "tuple", "set", "iter"])
def test_an_empty_collection_is_kept_and_is_not_none(name: str, empty: Any) -> None:
    assert getattr(an_update(**{name: empty}), name) == ()


def test_an_empty_mapping_of_custom_fields_is_kept_and_is_not_none() -> None:
    assert an_update(custom_fields={}).custom_fields == ()


@pytest.mark.parametrize("name", ["external_id", "first_name", "last_name", "phone"])
def test_an_empty_string_is_a_value_in_an_update(name: str) -> None:
    assert getattr(an_update(**{name: ""}), name) == ""


@pytest.mark.parametrize("name", ["update_if_exists", "privacy_consent"])
def test_false_is_a_value_and_is_not_none(name: str) -> None:
    assert getattr(an_update(**{name: False}), name) is False


@pytest.mark.parametrize("status", EmailStatus)
@pytest.mark.parametrize("kind", [EmailStatus, int])
def test_an_email_status_is_taken_as_enum_or_number(status: EmailStatus, kind: type) -> None:
    assert an_update(status=kind(status)).status is status


@pytest.mark.parametrize("status", SmsStatus)
@pytest.mark.parametrize("kind", [SmsStatus, int])
def test_an_sms_status_is_taken_as_enum_or_number(status: SmsStatus, kind: type) -> None:
    assert an_update(sms_status=kind(status)).sms_status is status


@pytest.mark.parametrize(
    "custom_fields",
    [
        {1: "a", 2: "b"},
        MappingProxyType({1: "a", 2: "b"}),
        [CustomField(field_id=1, value="a"), CustomField(field_id=2, value="b")],
        {1: CustomField(field_id=1, value="a"), 2: CustomField(field_id=2, value="b")}.values(),
    ],
    ids=["dict", "mapping", "list", "values"],
)
def test_custom_fields_are_taken_as_a_mapping_or_as_parts(custom_fields: Any) -> None:
    assert an_update(custom_fields=custom_fields).custom_fields == (
        CustomField(field_id=1, value="a"),
        CustomField(field_id=2, value="b"),
    )


def test_a_generator_of_custom_fields_is_taken() -> None:
    parts = (CustomField(field_id=number, value=None) for number in (1, 2))
    kept = an_update(custom_fields=parts).custom_fields
    assert kept is not None
    assert [part.field_id for part in kept] == [1, 2]


def test_sixty_five_levels_of_nesting_are_taken() -> None:
    assert strict_json(encode(an_update(custom_fields={1: nested(64)})))["customFields"] == [
        {"fieldId": 1, "value": nested(64)}
    ]


def test_changing_what_was_passed_in_does_not_change_the_contact() -> None:
    groups, companies, links = [10], [4], [a_link()]
    address = {"line1": "1 Main St", "tags": ["home"]}
    custom_fields = {1: address}
    contact = an_update(
        groups=groups, companies=companies, external_urls=links, custom_fields=custom_fields
    )
    before = encode(contact)

    taken: Any
    for taken in (groups, companies, links, address["tags"]):
        taken.append("later")
    address["line1"] = "elsewhere"
    custom_fields[2] = {}

    assert encode(contact) == before


@pytest.mark.parametrize("name", FIELDS)
def test_a_contact_is_frozen(name: str) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(a_full_contact(), name, None)


def test_evolve_makes_a_changed_copy_and_leaves_the_rest() -> None:
    contact = a_full_contact()
    assert attrs.asdict(attrs.evolve(contact, phone="1")) == {**attrs.asdict(contact), "phone": "1"}


def test_evolve_checks_what_it_makes() -> None:
    with pytest.raises(InvalidContactError) as caught:
        attrs.evolve(a_contact(), email=None)
    assert caught.value.errors == ((("email",), "is required"),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("contact", [a_contact(), a_full_contact()], ids=["add", "full"])
def test_a_contact_goes_through_pickle(contact: Contact, protocol: int) -> None:
    assert pickle.loads(pickle.dumps(contact, protocol)) == contact


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_contact_can_be_copied(copied: Any) -> None:
    assert copied(a_full_contact()) == a_full_contact()


@pytest.mark.parametrize("absent", [None, ""])
def test_an_add_needs_its_names_and_its_email(absent: str | None) -> None:
    assert wrong(first_name=absent, last_name=absent, email=absent) == (
        (("first_name",), "is required"),
        (("last_name",), "is required"),
        (("email",), "is required"),
    )


def test_an_add_needs_its_names_and_its_email_with_update_if_exists_too() -> None:
    assert [path for path, _ in wrong(update_if_exists=True)] == [
        ("first_name",),
        ("last_name",),
        ("email",),
    ]


POSITIVE = "must be a positive integer"
TOO_LARGE = "must be an integer up to 9223372036854775807"
NOT_IDS = [0, -1, 2**63, True, False, 1.0, "1", b"1", Decimal(1), [1], {}, math.nan]


def not_an_id(value: Any) -> str:
    return TOO_LARGE if value == 2**63 else POSITIVE


@pytest.mark.parametrize("value", NOT_IDS, ids=repr)
def test_an_id_is_a_positive_integer_of_63_bits(value: Any) -> None:
    problems = wrong(id=value, first_name="a", last_name="b", email="c@d.test")
    assert (("id",), not_an_id(value)) in problems


@pytest.mark.parametrize("name", ["groups", "companies"])
@pytest.mark.parametrize("value", [*NOT_IDS, None], ids=repr)
def test_each_wrong_id_in_a_list_is_reported_with_its_position(name: str, value: Any) -> None:
    assert wrong_update(**{name: [1, value, 2, value]}) == (
        ((name, 1), not_an_id(value)),
        ((name, 3), not_an_id(value)),
    )


@pytest.mark.parametrize("name", ["groups", "companies"])
@pytest.mark.parametrize("value", ["12", "", b"12", bytearray(b"12"), 12, True, 1.5], ids=repr)
def test_ids_are_not_taken_from_strings_bytes_or_what_is_not_iterable(
    name: str, value: Any
) -> None:
    assert wrong_update(**{name: value}) == (((name,), "must be an iterable of ids"),)


TEXTS = ["external_id", "first_name", "last_name", "phone"]


@pytest.mark.parametrize("name", [*TEXTS, "email"])
@pytest.mark.parametrize("value", [1, True, b"a", ["a"], {"a": 1}, 1.5, math.nan], ids=repr)
def test_a_text_is_a_string(name: str, value: Any) -> None:
    assert wrong_update(**{name: value}) == (((name,), "must be a string"),)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_holds_no_lone_surrogates(name: str) -> None:
    assert wrong_update(**{name: "a\ud800"}) == (((name,), "must not hold lone surrogates"),)


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.com",
        "x@y.test",
        "x@test",
        "Ada.Archer+Tag@EXAMPLE.com",
        "ünï@exämple.com",
        "a@xn--exmple-cua.com",
    ],
)
def test_an_email_goes_out_as_it_was_given(email: str) -> None:
    assert strict_json(encode(an_update(email=email)))["email"] == email


@pytest.mark.parametrize(
    "email",
    [
        "",
        " ",
        "ada",
        "ada@",
        "@example.com",
        "ada@@example.com",
        "ada@example",
        " ada@example.com",
        "ada@example.com\n",
        "Ada <ada@example.com>",
        "ada@[192.0.2.1]",
        "ada@-example.com",
        "ada@exa mple.com",
        "ada@example.com, bo@example.com",
        "ada\ud800@example.com",
        "ada@localhost",
        "ada@printer.local",
        "ada@host.invalid",
        "ada@1.2.0.192.in-addr.arpa",
        "a" * 300 + "@example.com",
    ],
    ids=ascii,
)
def test_what_is_not_an_email_is_refused(email: str) -> None:
    assert wrong_update(email=email) == ((("email",), "must be a valid email address"),)


_local_parts = st.text(st.sampled_from("aZ0._+-'!é @"), max_size=70)
_domains = st.sampled_from(
    ["example.com", "EXAMPLE.com", "a.test", "localhost", "-a.com", "a..com", "", "bücher.example"]
)


@given(_local_parts, _domains)
def test_short_cut_for_common_addresses_changes_no_verdict(local: str, domain: str) -> None:
    address = f"{local}@{domain}"
    try:
        email_validator.validate_email(address, check_deliverability=False, test_environment=True)
        expected: object = ()
    except email_validator.EmailNotValidError:
        expected = ((("email",), "must be a valid email address"),)

    for _ in range(2):  # the second time, the domain is known
        try:
            Contact(id=7, email=address)
            found: object = ()
        except InvalidContactError as error:
            found = error.errors
        assert found == expected


def test_the_global_settings_of_email_validator_stay_as_they_are() -> None:
    def settings() -> dict[str, Any]:
        return {
            name: copy.copy(value)
            for name, value in vars(email_validator).items()
            if name.isupper()
        }

    before = settings()
    an_update(email="x@y.test")
    wrong_update(email="x@y.local")
    assert settings() == before


EMAIL_STATUS = (
    "must be one of "
    "subscribed (1), unsubscribed (2), bounced (3), registering (4), no marketing (5)"
)
SMS_STATUS = "must be one of subscribed (1), unsubscribed (2), failed (3), no marketing (4)"


@pytest.mark.parametrize(
    ("name", "what"),
    [("status", EMAIL_STATUS), ("sms_status", SMS_STATUS)],
    ids=["status", "sms_status"],
)
@pytest.mark.parametrize("value", [0, 6, -1, 2**70, True, 1.0, "1", "SUBSCRIBED", [], {}], ids=repr)
def test_a_status_out_of_range_is_refused(name: str, what: str, value: Any) -> None:
    assert wrong_update(**{name: value}) == (((name,), what),)


def test_the_sms_status_has_no_fifth() -> None:
    assert wrong_update(sms_status=5) == ((("sms_status",), SMS_STATUS),)


@pytest.mark.parametrize("name", ["update_if_exists", "privacy_consent"])
@pytest.mark.parametrize("value", [0, 1, "true", "", [], 1.0], ids=repr)
def test_a_flag_is_true_or_false(name: str, value: Any) -> None:
    assert wrong_update(**{name: value}) == (((name,), "must be true or false"),)


CIRCLE: list[Any] = [1]
CIRCLE.append({"again": CIRCLE})

# One that branches would keep a walk that only counts levels busy for ever.
BRANCHING_CIRCLE: list[Any] = []
BRANCHING_CIRCLE += [BRANCHING_CIRCLE, BRANCHING_CIRCLE]

FINITE = "must be a finite number"
FITS = "must fit in 64 bits"
DEEP = "must not be nested so deeply"
KEYS = "must have strings as keys"
OTHER = "must be a JSON value or a date"

NOT_JSON = [
    pytest.param(math.nan, {FINITE}, id="nan"),
    pytest.param(math.inf, {FINITE}, id="inf"),
    pytest.param(-math.inf, {FINITE}, id="-inf"),
    pytest.param(Fraction("nan"), {FINITE}, id="nan of a subclass"),
    pytest.param(2**64, {FITS}, id="past 64 bits"),
    pytest.param(-(2**63) - 1, {FITS}, id="below 64 bits"),
    pytest.param("a\ud800", {"must not hold lone surrogates"}, id="lone surrogate"),
    pytest.param({"\udfff": 1}, {KEYS}, id="lone surrogate in a key"),
    pytest.param({1: "a"}, {KEYS}, id="key int"),
    pytest.param({None: "a"}, {KEYS}, id="key None"),
    pytest.param({("a",): "a"}, {KEYS}, id="key tuple"),
    pytest.param(nested(65), {DEEP}, id="too deep"),
    pytest.param(nested(100_000), {DEEP}, id="far too deep"),
    pytest.param(CIRCLE, {DEEP}, id="circle"),
    pytest.param(BRANCHING_CIRCLE, {DEEP}, id="branching circle"),
    pytest.param(datetime.datetime(2026, 11, 2), {"must be a date without a time"}, id="datetime"),
    pytest.param(datetime.time(1), {OTHER}, id="time"),
    pytest.param(Decimal("1.5"), {OTHER}, id="Decimal"),
    pytest.param(b"a", {OTHER}, id="bytes"),
    pytest.param({1, 2}, {OTHER}, id="set"),
    pytest.param(iter([1]), {OTHER}, id="iterator"),
    pytest.param(1j, {OTHER}, id="complex"),
    pytest.param(object(), {OTHER}, id="object"),
]


@pytest.mark.parametrize("within", [lambda v: v, lambda v: [0, v], lambda v: {"a": v}])
@pytest.mark.parametrize(("value", "what"), NOT_JSON)
def test_what_json_cannot_carry_is_refused(value: Any, what: set[str], within: Any) -> None:
    problems = wrong_update(custom_fields={1: "fine", 2: within(value)})
    assert {path for path, _ in problems} == {("custom_fields", 1, "value")}
    assert {text for _, text in problems} == what


@pytest.mark.parametrize("value", [0, -1, 2**63, True, 1.5, "1", b"1", (1,), math.nan], ids=repr)
def test_a_wrong_field_id_is_reported_with_its_position(value: Any) -> None:
    pairs = {5: "fine", value: "red"}
    problem = ("custom_fields", 1, "field_id"), not_an_id(value)
    assert wrong_update(custom_fields=pairs) == (problem,)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (
            "custom_fields",
            "must be a mapping of field id to value, or an iterable of CustomField",
        ),
        ("external_urls", "must be an iterable of ExternalUrl"),
    ],
    ids=["custom_fields", "external_urls"],
)
@pytest.mark.parametrize("value", ["ab", b"ab", 5, 1.5, True], ids=repr)
def test_parts_are_not_taken_from_strings_or_what_is_not_iterable(
    name: str, what: str, value: Any
) -> None:
    assert wrong_update(**{name: value}) == (((name,), what),)


@pytest.mark.parametrize(
    ("name", "what", "good"),
    [
        ("custom_fields", "must be a CustomField", CustomField(field_id=1, value=1)),
        ("external_urls", "must be an ExternalUrl", a_link()),
    ],
    ids=["custom_fields", "external_urls"],
)
@pytest.mark.parametrize("value", [None, "a", 5, {"field_id": 1}, (1, "a")], ids=repr)
def test_what_is_not_a_part_is_reported_with_its_position(
    name: str, what: str, good: Any, value: Any
) -> None:
    assert wrong_update(**{name: [good, value]}) == (((name, 1), what),)


def test_three_external_urls_are_taken() -> None:
    links = tuple(a_link(ref=ref) for ref in "abc")
    assert an_update(external_urls=links).external_urls == links


def test_a_fourth_external_url_is_refused() -> None:
    links = [a_link(ref=ref) for ref in "abcd"]
    assert wrong_update(external_urls=links) == ((("external_urls",), "must have at most 3 links"),)


def test_a_fourth_external_url_is_refused_where_another_is_wrong_too() -> None:
    links = [a_link(ref="a"), a_link(ref="b"), a_link(ref="c"), 5]
    assert wrong_update(external_urls=links) == (
        (("external_urls", 3), "must be an ExternalUrl"),
        (("external_urls",), "must have at most 3 links"),
    )


def test_a_ref_that_is_there_twice_is_refused() -> None:
    links = [a_link(ref="a"), a_link(ref="a", url=None)]
    assert wrong_update(external_urls=links) == ((("external_urls",), "must not use a ref twice"),)


def test_all_that_is_wrong_is_reported_at_once_in_the_order_of_the_fields() -> None:
    problems = wrong(
        id=0,
        external_id=1,
        first_name=2,
        last_name=3,
        email="nobody",
        phone=4,
        groups=[0, 1, "2"],
        custom_fields={0: math.nan, 1: "fine", "2": object()},
        companies="12",
        status=9,
        sms_status=9,
        update_if_exists=1,
        external_urls=[a_link(), a_link(), None, a_link()],
        privacy_consent="yes",
    )
    assert problems == (
        (("id",), POSITIVE),
        (("external_id",), "must be a string"),
        (("first_name",), "must be a string"),
        (("last_name",), "must be a string"),
        (("email",), "must be a valid email address"),
        (("phone",), "must be a string"),
        (("groups", 0), POSITIVE),
        (("groups", 2), POSITIVE),
        (("custom_fields", 0, "field_id"), POSITIVE),
        (("custom_fields", 0, "value"), FINITE),
        (("custom_fields", 2, "field_id"), POSITIVE),
        (("custom_fields", 2, "value"), OTHER),
        (("companies",), "must be an iterable of ids"),
        (("status",), EMAIL_STATUS),
        (("sms_status",), SMS_STATUS),
        (("update_if_exists",), "must be true or false"),
        (("external_urls", 2), "must be an ExternalUrl"),
        (("external_urls",), "must have at most 3 links"),
        (("external_urls",), "must not use a ref twice"),
        (("privacy_consent",), "must be true or false"),
    )


@pytest.mark.parametrize("name", FIELDS)
def test_a_value_that_cannot_be_compared_is_refused_like_any_other(name: str) -> None:
    values: dict[str, Any] = {"first_name": "a", "last_name": "b", "email": "c@example.com"}
    assert [path for path, _ in wrong(**{**values, name: Undecided()})] == [(name,)]


def test_an_error_of_the_callers_own_iterable_comes_out_untouched() -> None:
    def broken() -> Any:
        yield 1
        raise LookupError("the caller's own")

    with pytest.raises(LookupError, match="the caller's own"):
        an_update(groups=broken())


def test_repr_shows_the_id_and_which_fields_are_set() -> None:
    assert repr(an_update(email="ada@example.com", groups=[], privacy_consent=False)) == (
        "Contact(id=7, email=..., groups=..., privacy_consent=...)"
    )


def test_repr_of_an_add_shows_no_id() -> None:
    assert repr(a_contact()) == "Contact(first_name=..., last_name=..., email=...)"


MARK = "m4rk"
MARK_NUMBER = 48_151_623

MARKED: dict[str, Any] = {
    "external_id": MARK,
    "first_name": MARK,
    "last_name": MARK,
    "email": f"{MARK}@{MARK}.example.com",
    "phone": MARK,
    "groups": [MARK_NUMBER],
    "custom_fields": {33443: {MARK: [MARK, MARK_NUMBER]}},
    "companies": [MARK_NUMBER],
    "status": 3,
    "sms_status": 3,
    "update_if_exists": True,
    "external_urls": [ExternalUrl(ref=MARK, url=f"https://{MARK}.example.com/", label=MARK)],
    "privacy_consent": True,
}


@pytest.mark.parametrize("show", [repr, str, "{}".format], ids=["repr", "str", "format"])
def test_what_shows_of_a_contact_holds_none_of_its_values(show: Any) -> None:
    shown = show(an_update(**MARKED))
    assert shown == f"Contact(id=7, {', '.join(f'{name}=...' for name in MARKED)})"


def test_what_shows_of_the_parts_holds_none_of_their_values() -> None:
    contact = an_update(**MARKED)
    assert [repr(contact.custom_fields), repr(contact.external_urls)] == [
        "(CustomField(field_id=33443),)",
        "(ExternalUrl(),)",
    ]


BAD_MARKED = [
    MARK,
    MARK + "\ud800",
    f"{MARK}@{MARK}.invalid",
    f"http://{MARK}.example.com/",
    f"https://[{MARK}",
    -MARK_NUMBER,
    MARK_NUMBER * 10**30,
    MARK_NUMBER + 0.5,
    MARK.encode(),
    Decimal(MARK_NUMBER),
    [MARK, -MARK_NUMBER, [MARK]],
    {MARK: MARK},
    {-MARK_NUMBER: {-MARK_NUMBER: MARK + "\ud800"}},
]


@pytest.mark.parametrize("value", BAD_MARKED, ids=ascii)
@pytest.mark.parametrize("name", FIELDS)
def test_no_error_of_a_contact_holds_one_of_its_values(name: str, value: Any) -> None:
    values = {"update_if_exists": 1, name: value}  # there is always something wrong
    shown = "".join(text for error in errors_of(Contact, values) for text in everything(error))
    assert shown
    assert MARK not in shown
    assert str(MARK_NUMBER) not in shown


@pytest.mark.parametrize("value", BAD_MARKED, ids=ascii)
@pytest.mark.parametrize("name", ["ref", "url", "label"])
def test_no_error_of_an_external_url_holds_one_of_its_values(name: str, value: Any) -> None:
    values = {"ref": "", "url": None, "label": 0, name: value}
    shown = "".join(text for error in errors_of(ExternalUrl, values) for text in everything(error))
    assert shown
    assert MARK not in shown
    assert str(MARK_NUMBER) not in shown


def errors_of(kind: type, values: dict[str, Any]) -> list[InvalidContactError]:
    try:
        kind(**values)
    except InvalidContactError as error:
        return [error]
    return []


def everything(error: InvalidContactError) -> list[str]:
    causes = [cause for cause in (error.__cause__, error.__context__) if cause is not None]
    return [str(error), repr(error), repr(vars(error)), *map(str, causes)]


@given(st.dictionaries(st.sampled_from(FIELDS), any_json))
def test_any_json_gives_a_contact_or_says_what_is_wrong(values: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidContactError):
        Contact(**values)


@given(st.sampled_from(sorted(set(FIELDS) - {"id"})), any_json)
def test_what_is_accepted_can_be_encoded(name: str, value: Any) -> None:
    try:
        contact = an_update(**{name: value})
    except InvalidContactError:
        return
    strict_json(encode(contact))


@given(any_json)
def test_a_json_value_is_sent_as_it_is_or_refused(value: Any) -> None:
    try:
        contact = an_update(custom_fields={1: value})
    except InvalidContactError:
        return
    assert strict_json(encode(contact))["customFields"] == [{"fieldId": 1, "value": value}]


@given(sendable_json)
def test_whatever_json_can_carry_is_taken_and_sent_equal(value: Any) -> None:
    body = encode(an_update(custom_fields={1: value}))
    assert strict_json(body)["customFields"] == [{"fieldId": 1, "value": value}]


@given(contacts(sendable_json | dates))
def test_evolving_nothing_gives_an_equal_contact(contact: Contact) -> None:
    assert attrs.evolve(contact) == contact


@given(st.emails())
def test_an_email_that_is_taken_is_sent_as_it_was_given(email: str) -> None:
    try:
        contact = an_update(email=email)
    except InvalidContactError:
        return
    assert strict_json(encode(contact))["email"] == email


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (an_update(), an_update(first_name="Eda")),
        (a_contact(id=7), an_update()),
        (a_contact(), a_contact(phone="1", update_if_exists=True, external_id="x")),
        (a_contact(first_name="ADA"), a_contact(first_name="ada")),
        (a_contact(last_name="Groß"), a_contact(last_name="GROSS")),
        (a_contact(email="Ada@Example.com"), a_contact(email="ada@example.com")),
        (a_contact(first_name=" Ada  Mae "), a_contact(first_name="ada mae")),
        (a_contact(last_name="Ren\u00e9"), a_contact(last_name="RENE\u0301")),
        (a_contact(last_name="Ren\u00e9 \u00a0B"), a_contact(last_name="Ren\u00e9 B")),
    ],
)
def test_contacts_with_the_same_id_or_names_and_email_have_the_same_key(
    one: Contact, other: Contact
) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (an_update(), an_update(id=8)),
        (a_contact(id=7), a_contact()),
        (a_contact(first_name="Eda"), a_contact()),
        (a_contact(last_name="Brook"), a_contact()),
        (a_contact(email="eda@example.com"), a_contact()),
        (a_contact(first_name="A", last_name="BC"), a_contact(first_name="AB", last_name="C")),
    ],
)
def test_other_contacts_have_another_key(one: Contact, other: Contact) -> None:
    assert key_of(one) != key_of(other)
