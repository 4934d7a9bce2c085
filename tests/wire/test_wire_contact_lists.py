import contextlib
import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from contactsdk.errors import (
    AuthenticationError,
    ContactError,
    RejectedError,
    UnavailableError,
    UncertainError,
)
from contactsdk.wire import (
    ContactFilter,
    ContactPage,
    ListedContact,
    encode_get,
    encode_list,
    read_contact,
    read_page,
)
from tests.examples import any_json

NO_HEADERS: CIMultiDict[str] = CIMultiDict()
MODIFIED = datetime.datetime(2026, 11, 2, 3, 4, 5, tzinfo=datetime.UTC)

SHOWN = {
    "id": 6,
    "firstName": "Ada",
    "lastName": "Archer",
    "email": "ada@example.com",
    "phone": "+61 400 000 000",
    "customFields": [{"fieldId": 33443, "displayName": "Vegan", "value": "No"}],
    "groups": [{"contactId": 6, "groupId": 10, "joinDate": "2026-11-02 03:04:05"}],
    "companies": [4, 5],
    "externalId": "12345",
    "modifiedDate": "2026-11-02 03:04:05 UTC",
}


def listed(**changes: Any) -> ListedContact:
    shown = {**SHOWN, **changes}
    return ListedContact(id=6, modified=MODIFIED, shown=shown)


def page_of(answer: Any) -> ContactPage:
    return read_page(200, NO_HEADERS, json.dumps(answer).encode())


def test_an_external_id_is_asked_for_in_the_shape_of_the_platforms_page() -> None:
    body = encode_list(ContactFilter(external_id="12345"), start=20)
    assert json.loads(body) == {"filter": {"externalId": "12345"}, "perPage": 100, "start": 20}


def test_every_criterion_has_its_name_in_the_filter() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=10))
    wanted = ContactFilter(
        external_id="12345",
        first_name="Ada",
        last_name="Archer",
        email="ada@example.com",
        modified_since=datetime.datetime(2026, 11, 3, 3, 4, 5, tzinfo=zone),
    )
    assert json.loads(encode_list(wanted)) == {
        "filter": {
            "externalId": "12345",
            "firstName": "Ada",
            "lastName": "Archer",
            "email": "ada@example.com",
            "fromModifiedDate": "2026-11-02 17:04:05",
        },
        "perPage": 100,
        "start": 0,
    }


def test_a_filter_shows_no_value_of_a_contact() -> None:
    wanted = ContactFilter(external_id="m4rk", first_name="m4rk", last_name="m4rk", email="m4rk")
    assert "m4rk" not in repr(wanted)


def test_a_listed_contact_shows_no_value_but_its_id() -> None:
    shown = repr(listed())
    assert "id=6" in shown
    assert "Ada" not in shown


def test_a_page_is_read_with_its_meta() -> None:
    meta = {"count": 1, "totalResults": 41, "start": 40, "perPage": 20}
    page = page_of({"meta": meta, "results": [SHOWN]})
    assert page == ContactPage(contacts=(listed(),), total=41)


@pytest.mark.parametrize(
    "answer", [[SHOWN], {"results": [SHOWN]}, {"meta": [], "results": [SHOWN]}]
)
def test_a_page_without_meta_is_read(answer: Any) -> None:
    assert page_of(answer) == ContactPage(contacts=(listed(),))


@pytest.mark.parametrize("answer", [[], {"meta": {}, "results": []}])
def test_a_page_may_be_empty(answer: Any) -> None:
    assert page_of(answer) == ContactPage(contacts=())


def test_the_id_and_the_date_of_a_listed_contact_are_read_from_text_too() -> None:
    page = page_of([{"id": "6", "modifiedDate": "2026-11-02 03:04:05"}, {"id": 7}])
    assert [(found.id, found.modified) for found in page.contacts] == [(6, MODIFIED), (7, None)]


@pytest.mark.parametrize(
    "answer",
    [{}, {"results": None}, {"results": {}}, {"results": [5]}, [None], 5, [{}], [{"id": 0}]],
    ids=repr,
)
def test_what_is_not_a_page_of_contacts_is_uncertain(answer: Any) -> None:
    with pytest.raises(UncertainError):
        page_of(answer)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b'{"errorCode": 403}', AuthenticationError),
        (503, b"", UnavailableError),
        (200, b"<html>", UncertainError),
        (400, b"[]", RejectedError),
    ],
)
def test_a_refused_list_is_read_like_any_other_answer(
    status: int, body: bytes, kind: type[ContactError]
) -> None:
    with pytest.raises(ContactError) as caught:
        read_page(status, NO_HEADERS, body)
    assert type(caught.value) is kind


def test_a_contact_is_asked_for_by_its_id() -> None:
    assert json.loads(encode_get(6)) == {"id": 6}


def test_a_contact_is_read_as_the_platform_shows_it() -> None:
    assert read_contact(200, NO_HEADERS, json.dumps(SHOWN).encode()) == SHOWN


@pytest.mark.parametrize("answer", [{}, {"id": 0}, [], [SHOWN]], ids=repr)
def test_what_is_not_a_contact_is_uncertain(answer: Any) -> None:
    with pytest.raises(UncertainError):
        read_contact(200, NO_HEADERS, json.dumps(answer).encode())


def test_a_contact_that_is_not_there_is_reported_by_its_specific_code() -> None:
    answer = b'{"errorCode": 404, "specificCode": 24096, "message": "Unable to find contact"}'
    with pytest.raises(RejectedError) as caught:
        read_contact(404, NO_HEADERS, answer)
    assert caught.value.specific_code == 24096


names = st.sampled_from([*SHOWN, "externalUrls", "status"])


@given(
    st.integers(100, 599) | st.just(200),
    st.binary() | any_json | st.lists(st.dictionaries(names, any_json)),
)
def test_any_answer_gives_a_page_or_a_contact_error(status: int, answer: Any) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    with contextlib.suppress(ContactError):
        assert all(found.id > 0 for found in read_page(status, NO_HEADERS, body).contacts)
