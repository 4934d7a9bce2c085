import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.sandbox import FieldType
from contactsdk.sandbox.fields import Declared, fits
from contactsdk.sandbox.platform import Change, Platform, read_object
from contactsdk.sandbox.replies import Refused

BOBBY = {"firstName": "Bobby", "lastName": "Smith", "email": "bobby@example.com"}


@pytest.fixture
def platform():
    return Platform(Declared())


def refused(platform, params):
    with pytest.raises(Refused) as caught:
        platform.add_or_update(params)
    return caught.value


def urls(*refs, url="https://example.com"):
    return [{"ref": ref, "url": url} for ref in refs]


def test_ids_count_up_from_1001(platform):
    changes = [platform.add_or_update(BOBBY) for _ in range(2)]
    assert changes == [Change(1001, True), Change(1002, True)]


def test_update_touches_only_what_is_sent(platform):
    platform.add_or_update({**BOBBY, "phone": "1", "groups": [{"groupId": 10}], "companies": [4]})
    platform.add_or_update({"id": 1001, "groups": [], "companies": [5], "phone": ""})
    assert platform.contacts[1001] == {
        **BOBBY,
        "id": 1001,
        "groups": [],
        "companies": [5],
        "phone": "",
    }


def test_custom_fields_are_replaced_by_id_and_an_empty_list_clears_them(platform):
    def fields(**values):
        return [{"fieldId": int(name[1:]), "value": value} for name, value in values.items()]

    platform.add_or_update({**BOBBY, "customFields": fields(f1="a", f2="b")})
    platform.add_or_update({"id": 1001, "customFields": fields(f2="c", f3="d")})
    assert platform.contacts[1001]["customFields"] == fields(f1="a", f2="c", f3="d")
    platform.add_or_update({"id": 1001, "customFields": []})
    assert platform.contacts[1001]["customFields"] == []


def test_external_urls_are_replaced_by_ref_and_removed_by_null(platform):
    platform.add_or_update({**BOBBY, "externalUrls": urls("a", "b")})
    platform.add_or_update({"id": 1001, "externalUrls": urls("a", url=None) + urls("c")})
    assert platform.contacts[1001]["externalUrls"] == urls("b", "c")
    platform.add_or_update({"id": 1001, "externalUrls": None})
    assert platform.contacts[1001]["externalUrls"] == []


def test_fourth_external_url_is_refused_also_when_it_comes_later(platform):
    platform.add_or_update({**BOBBY, "externalUrls": urls("a", "b")})
    assert refused(platform, {"id": 1001, "externalUrls": urls("c", "d")}).specific_code == 23016
    assert platform.contacts[1001]["externalUrls"] == urls("a", "b")


def test_update_if_exists_updates_the_oldest_match_whatever_the_case(platform):
    platform.add_or_update(BOBBY)
    platform.add_or_update(BOBBY)
    again = {**BOBBY, "lastName": "SMITH", "phone": "1", "updateIfExists": True}
    assert platform.add_or_update(again) == Change(1001, False)
    assert platform.contacts[1001]["phone"] == "1"
    assert "updateIfExists" not in platform.contacts[1001]


def test_update_if_exists_adds_where_nothing_matches(platform):
    platform.add_or_update(BOBBY)
    other = {**BOBBY, "email": "other@example.com", "updateIfExists": True}
    assert platform.add_or_update(other) == Change(1002, True)


def test_update_if_exists_follows_a_renamed_contact(platform):
    platform.add_or_update(BOBBY)
    platform.add_or_update({"id": 1001, "firstName": "Rob"})
    assert platform.add_or_update({**BOBBY, "updateIfExists": True}).added
    renamed = {**BOBBY, "firstName": "Rob", "updateIfExists": True}
    assert platform.add_or_update(renamed) == Change(1001, False)


def test_update_of_an_unknown_id_finds_no_contact(platform):
    refusal = refused(platform, {"id": 7})
    assert (refusal.error_code, refusal.specific_code) == (404, 24096)


@pytest.mark.parametrize("name", ["firstName", "lastName", "email"])
@pytest.mark.parametrize("empty", [{}, {"": ""}])
def test_add_without_a_required_parameter_is_refused(platform, name, empty):
    params = {key: value for key, value in BOBBY.items() if key != name}
    if empty:
        params[name] = ""
    assert refused(platform, params).specific_code == 23017


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", True),
        ("id", 0),
        ("id", "1001"),
        ("externalId", 5),
        ("firstName", 5),
        ("email", 5),
        ("email", "no at"),
        ("email", "a@nodot"),
        ("phone", None),
        ("groups", None),
        ("groups", [10]),
        ("groups", [{"groupId": 10, "more": 1}]),
        ("groups", [{"groupId": "10"}]),
        ("groups", [{"groupId": 11}]),
        ("companies", "4"),
        ("companies", [True]),
        ("companies", [5]),
        ("customFields", {}),
        ("customFields", [{"fieldId": 1}]),
        ("customFields", [{"fieldId": [], "value": 1}]),
        ("customFields", [{"fieldId": 2, "value": 1}]),
        ("customFields", [{"fieldId": 1, "value": "1"}]),
        ("status", 6),
        ("smsStatus", 5),
        ("status", True),
        ("updateIfExists", 1),
        ("privacyConsent", "yes"),
        ("externalUrls", {}),
        ("externalUrls", urls("a", "b", "c", "d")),
        ("externalUrls", ["https://example.com"]),
        ("externalUrls", [{"ref": "a"}]),
        ("externalUrls", urls("a", "a")),
        ("externalUrls", urls("")),
        ("externalUrls", urls(1)),
        ("externalUrls", urls("a", url="http://example.com")),
        ("externalUrls", urls("a", url=5)),
        ("externalUrls", [{"ref": "a", "url": "https://example.com", "label": 5}]),
        ("LastName", "Smith"),
    ],
)
def test_value_that_does_not_validate_is_refused_by_name(name, value):
    fields = {1: FieldType.WHOLE_NUMBER}
    platform = Platform(
        Declared(groups=frozenset({10}), companies=frozenset({4}), custom_fields=fields)
    )
    refusal = refused(platform, {**BOBBY, name: value})
    assert (refusal.error_code, refusal.specific_code) == (400, 23016)
    assert refusal.message == f"'{name}' does not validate"
    assert refusal.details


def test_what_is_declared_may_be_set():
    fields = {1: FieldType.WHOLE_NUMBER}
    platform = Platform(
        Declared(groups=frozenset({10}), companies=frozenset({4}), custom_fields=fields)
    )
    params = {**BOBBY, "groups": [{"groupId": 10}], "companies": [4], "status": 5, "smsStatus": 4}
    params["customFields"] = [{"fieldId": 1, "value": 3}]
    params["externalUrls"] = [{"ref": "a", "url": "https://example.com", "label": "Home"}]
    assert platform.add_or_update(params).added


@pytest.mark.parametrize(
    ("field_type", "good", "bad"),
    [
        (FieldType.SMALL_TEXT, "No", 5),
        (FieldType.LARGE_TEXT, "", None),
        (FieldType.SINGLE_SELECT, "a", ["a"]),
        (FieldType.MULTIPLE_SELECT, ["a", "b"], ["a", 1]),
        (FieldType.MULTIPLE_SELECT, [], "a"),
        (FieldType.ADDRESS, {"line1": "1 High St", "city": "Hull"}, {"street": "High St"}),
        (FieldType.ADDRESS, {}, {"line1": 1}),
        (FieldType.ADDRESS, {"countryCode": "GB"}, "1 High St"),
        (FieldType.DATE, "2024-02-29", "2023-02-29"),
        (FieldType.DATE, "2026-11-23", "20261123"),
        (FieldType.DATE, "2026-11-23", 20261123),
        (FieldType.WHOLE_NUMBER, 0, True),
        (FieldType.WHOLE_NUMBER, -1, 1.0),
    ],
)
def test_custom_field_takes_values_of_its_type_only(field_type, good, bad):
    assert fits(field_type, good)
    assert not fits(field_type, bad)


def test_file_takes_anything_and_static_text_nothing():
    assert fits(FieldType.FILE, {"name": "a.pdf"})
    assert not fits(FieldType.STATIC_TEXT, "a")


def test_list_finds_by_external_id_and_pages(platform):
    for external_id in ("a", "b", "a", "a"):
        platform.add_or_update({**BOBBY, "externalId": external_id})
    found = platform.get_contact_list({"filter": {"externalId": "a"}, "perPage": 2, "start": 1})
    assert found["meta"] == {"count": 3, "perPage": 2, "start": 1}
    assert [contact["id"] for contact in found["results"]] == [1003, 1004]


def test_list_without_parameters_has_all(platform):
    platform.add_or_update(BOBBY)
    assert platform.get_contact_list({})["results"] == [{**BOBBY, "id": 1001}]


@pytest.mark.parametrize(
    "params",
    [
        {"filter": []},
        {"filter": {"x": 1}},
        {"perPage": 0},
        {"perPage": "1"},
        {"start": -1},
        {"start": True},
        {"page": 1},
    ],
)
def test_list_refuses_other_parameters(platform, params):
    with pytest.raises(Refused, match="does not validate"):
        platform.get_contact_list(params)


@pytest.mark.parametrize("contact_id", [None, "1001", True])
def test_contact_is_asked_for_by_a_whole_number(platform, contact_id):
    with pytest.raises(Refused, match="does not validate"):
        platform.get_contact(contact_id)


def test_contacts_cannot_be_changed_from_outside(platform):
    platform.add_or_update(BOBBY)
    with pytest.raises(TypeError):
        platform.contacts[1001]["phone"] = "1"
    with pytest.raises(TypeError):
        platform.contacts[1002] = BOBBY


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b'{"a":NaN}', b'{"a":1e999}', b"\xff", b"[" * 5000]
)
def test_body_that_is_no_json_object_is_a_bad_request(body):
    with pytest.raises(Refused) as caught:
        read_object(body)
    assert caught.value.error_code == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2000) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = [*BOBBY, "id", "phone", "groups", "companies", "customFields", "status", "externalUrls"]


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON))
def test_any_object_is_either_written_or_refused_without_a_trace(params):
    platform = Platform(Declared())
    platform.add_or_update(BOBBY)
    before = dict(platform.contacts)
    written = True
    try:
        platform.add_or_update(params)
    except Refused:
        written = False
    assert written or dict(platform.contacts) == before


def test_refusal_leaves_out_what_it_does_not_have():
    assert Refused(500, "Internal error").answer() == {
        "errorCode": 500,
        "message": "Internal error",
    }
