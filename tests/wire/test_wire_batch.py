import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
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
from contactsdk.models import Contact
from contactsdk.wire import (
    MAX_JOBS,
    NO_SUCH_BATCH,
    RACE,
    JobResult,
    contact_to_json,
    encode,
    encode_async,
    encode_run,
    is_too_large,
    job_outcome,
    read_async_id,
    read_progress,
    read_results,
)
from tests.examples import (
    a_contact,
    an_update,
    any_json,
    contacts,
    dates,
    sendable_json,
    strict_json,
)

NO_HEADERS: CIMultiDict[str] = CIMultiDict()
ASYNC_ID = "e35e06ee592d17a42dc9e6252a058617"

ADA = a_contact(external_id="12345", groups=[10])


def body_of(answer: Any) -> bytes:
    return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


def refused_run(answer: Any, status: int = 400) -> ContactError:
    with pytest.raises(ContactError) as caught:
        read_async_id(status, NO_HEADERS, body_of(answer))
    return caught.value


def refused_results(answer: Any, status: int = 400) -> ContactError:
    with pytest.raises(ContactError) as caught:
        read_results(status, NO_HEADERS, body_of(answer))
    return caught.value


def outcome(contact: Contact, request: Any, response: Any) -> int:
    return job_outcome(JobResult(request=request, response=response), encode(contact))


def failed_job(response: Any, contact: Contact = ADA) -> ContactError:
    with pytest.raises(ContactError) as caught:
        outcome(contact, contact_to_json(contact), response)
    return caught.value


def test_a_batch_is_sent_in_the_shape_of_the_platforms_page() -> None:
    run = encode_run([encode(an_update(first_name="Zoë")), encode(ADA)])
    assert (
        run
        == (
            '{"jobs":['
            '{"namespace":"contact","action":"addOrUpdateContact",'
            '"params":{"id":7,"firstName":"Zoë"}},'
            '{"namespace":"contact","action":"addOrUpdateContact",'
            '"params":{"externalId":"12345","firstName":"Ada","lastName":"Archer",'
            '"email":"ada@example.com","groups":[{"groupId":10}]}}'
            "]}"
        ).encode()
    )


@given(st.lists(contacts(sendable_json | dates), max_size=4))
def test_a_batch_holds_what_is_sent_for_each_contact_alone(several: list[Contact]) -> None:
    bodies = [encode(contact) for contact in several]
    jobs = strict_json(encode_run(bodies))["jobs"]
    assert [job["params"] for job in jobs] == [strict_json(body) for body in bodies]
    assert {(job["namespace"], job["action"]) for job in jobs} <= {
        ("contact", "addOrUpdateContact")
    }


def test_two_hundred_contacts_are_a_batch() -> None:
    assert len(strict_json(encode_run([encode(ADA)] * MAX_JOBS))["jobs"]) == 200


@pytest.mark.parametrize(("async_id", "kept"), [(ASYNC_ID, ASYNC_ID), (33, "33")])
def test_a_batch_that_was_taken_has_an_async_id(async_id: Any, kept: str) -> None:
    assert read_async_id(200, NO_HEADERS, body_of({"asyncId": async_id})) == kept


@pytest.mark.parametrize(
    "answer",
    [{}, {"asyncId": ""}, {"asyncId": None}, {"asyncId": True}, {"asyncId": ["a"]}, [], b"<html>"],
    ids=repr,
)
def test_a_run_without_an_async_id_is_uncertain(answer: Any) -> None:
    assert type(refused_run(answer, status=200)) is UncertainError


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("code", [400, 500])
@pytest.mark.parametrize(
    ("specific_code", "kind", "too_large"),
    [
        (24448, UnavailableError, True),
        (24091, UnavailableError, False),
        (24092, SetupError, False),
        (24093, SetupError, False),
        (23005, AuthenticationError, False),
    ],
)
def test_a_batch_that_is_refused_as_a_whole_was_not_applied(
    specific_code: int, kind: type[ContactError], too_large: bool, code: int, status: int
) -> None:
    answer = {"errorCode": code, "specificCode": specific_code, "message": "no"}
    error = refused_run(answer, status)
    assert (type(error), error.specific_code) == (kind, specific_code)
    assert is_too_large(error) is too_large
    assert "no" in error.message


def test_a_body_that_a_gateway_finds_too_long_is_a_batch_that_is_too_large() -> None:
    error = refused_run(b"<html>", status=413)
    assert (type(error), is_too_large(error)) == (UnavailableError, True)


@pytest.mark.parametrize(("status", "answer"), [(413, {"errorCode": 500}), (400, {})])
def test_another_refusal_is_none_of_size(status: int, answer: Any) -> None:
    assert not is_too_large(refused_run(answer, status))


@pytest.mark.parametrize("code", [401, 403, 404, 405])
@pytest.mark.parametrize("platform_says_so", [True, False])
def test_a_key_that_may_not_use_batches_is_reported_so(code: int, platform_says_so: bool) -> None:
    answer = {"errorCode": code, "message": "no such right"} if platform_says_so else b"<html>"
    error = refused_run(answer, status=200 if platform_says_so else code)
    assert isinstance(error, SetupError)
    assert "the key has no right to use batches" in error.message
    assert error.error_code == (code if platform_says_so else None)


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (429, b"", RateLimitedError),
        (503, b"", UnavailableError),
        (500, b"", UncertainError),
        (200, {"errorCode": 463, "message": "key revoked"}, AuthenticationError),
        (200, {"errorCode": 400, "specificCode": 23016}, RejectedError),
        (200, {"success": False}, RejectedError),
    ],
)
def test_any_other_answer_to_a_run_means_what_it_means_for_one_contact(
    status: int, answer: Any, kind: type[ContactError]
) -> None:
    error = refused_run(answer, status)
    assert type(error) is kind
    assert error.__cause__ is None


def test_a_batch_is_asked_for_by_its_async_id() -> None:
    assert json.loads(encode_async(ASYNC_ID)) == {"async": ASYNC_ID}


@pytest.mark.parametrize(("progress", "percent"), [(33, 33), (0, 0), ("100", 100), (50.0, 50)])
def test_progress_is_a_percentage(progress: Any, percent: int) -> None:
    assert read_progress(200, NO_HEADERS, body_of({"progress": progress})) == percent


@pytest.mark.parametrize("progress", [None, -1, 101, "", "half", True, [33]], ids=repr)
def test_progress_that_is_not_a_percentage_is_uncertain(progress: Any) -> None:
    with pytest.raises(UncertainError, match="no progress"):
        read_progress(200, NO_HEADERS, body_of({"progress": progress}))


def test_results_are_read_in_their_order() -> None:
    answer = {
        "asyncId": ASYNC_ID,
        "results": [
            {
                "namespace": "contact",
                "action": "addOrUpdateContact",
                "request": {"id": 7, "phone": "1"},
                "response": {"id": 7},
            },
            {
                "namespace": "contact",
                "action": "addOrUpdateContact",
                "request": {"id": 8, "phone": "2"},
                "response": {"errorCode": 404, "specificCode": 24096, "message": "none"},
            },
            None,
        ],
    }
    results = read_results(200, NO_HEADERS, body_of(answer))
    assert results == (
        JobResult(request={"id": 7, "phone": "1"}, response={"id": 7}),
        JobResult(
            request={"id": 8, "phone": "2"},
            response={"errorCode": 404, "specificCode": 24096, "message": "none"},
        ),
        JobResult(request=None, response=None),
    )


@pytest.mark.parametrize("code", [400, "404", 500])
def test_results_of_a_batch_that_is_not_completed_are_none_yet(code: Any) -> None:
    answer = body_of({"errorCode": code, "specificCode": 24114, "message": "not completed"})
    assert read_results(400, NO_HEADERS, answer) is None


@pytest.mark.parametrize("code", [400, 404, 500])
def test_a_batch_that_the_platform_does_not_know_is_uncertain(code: int) -> None:
    error = refused_results({"errorCode": code, "specificCode": 24115, "message": "none"})
    assert (type(error), error.specific_code) == (UncertainError, NO_SUCH_BATCH)


@pytest.mark.parametrize(
    "answer", [{"errorCode": 400, "message": "no"}, {"success": False}, b"<html>"]
)
def test_refusing_to_give_results_rejects_no_contact(answer: Any) -> None:
    assert type(refused_results(answer)) is UncertainError


@pytest.mark.parametrize("answer", [{}, {"results": None}, {"results": {}}, [], b"<html>"])
def test_an_answer_without_results_is_uncertain(answer: Any) -> None:
    assert type(refused_results(answer, status=200)) is UncertainError


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimitedError), (503, UnavailableError), (404, SetupError)]
)
def test_results_that_cannot_be_asked_for_say_why(status: int, kind: type[ContactError]) -> None:
    assert type(refused_results(b"", status)) is kind


@pytest.mark.parametrize("response", [{"id": 5}, {"id": "5", "success": True}], ids=repr)
def test_a_job_that_succeeded_gives_the_id(response: Any) -> None:
    assert outcome(ADA, contact_to_json(ADA), response) == 5


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        ({"errorCode": 400, "message": "no"}, RejectedError),
        ({"success": False, "message": "no"}, RejectedError),
        ({"errorCode": 429, "specificCode": RACE, "message": "race"}, RateLimitedError),
        ({"errorCode": 500, "message": "no"}, UncertainError),
        ({}, UncertainError),
        ({"id": 0}, UncertainError),
        (None, UncertainError),
        ([], UncertainError),
        ("", UncertainError),
    ],
    ids=repr,
)
def test_a_job_that_failed_is_read_by_the_table_of_single_answers(
    response: Any, kind: type[ContactError]
) -> None:
    error = failed_job(response)
    assert (type(error), error.http_status) == (kind, None)


def test_a_race_within_a_batch_is_reported_by_its_specific_code() -> None:
    error = failed_job({"errorCode": 429, "specificCode": RACE, "message": "race"})
    assert error.specific_code == RACE


def test_a_contact_without_a_result_is_uncertain() -> None:
    with pytest.raises(UncertainError, match="no result"):
        job_outcome(None, encode(ADA))


@pytest.mark.parametrize(
    ("contact", "request_echo"),
    [
        (an_update(first_name="Ada"), {"id": 7}),
        (an_update(), {"firstName": "Bo", "id": "7"}),
        (
            ADA,
            {
                "email": "ADA@example.com",
                "lastName": " Archer ",
                "firstName": "Ada",
                "externalId": 12345,
                "id": None,
            },
        ),
        (
            a_contact(),
            {
                "firstName": "Ada",
                "lastName": "Archer",
                "email": "ada@example.com",
                "externalId": "",
            },
        ),
        (
            a_contact(first_name="33"),
            {"firstName": 33, "lastName": "Archer", "email": "ada@example.com"},
        ),
    ],
)
def test_a_normalised_echo_is_not_another_contact(contact: Contact, request_echo: Any) -> None:
    assert outcome(contact, request_echo, {"id": 5}) == 5


@pytest.mark.parametrize(
    ("contact", "request_echo"),
    [
        (an_update(), {"id": 8}),
        (an_update(), {}),
        (an_update(), None),
        (an_update(), [["id", 7]]),
        (ADA, contact_to_json(ADA) | {"id": 7}),
        (ADA, contact_to_json(ADA) | {"firstName": "Bo"}),
        (ADA, contact_to_json(ADA) | {"lastName": "archer"}),
        (ADA, contact_to_json(ADA) | {"email": "bo@example.com"}),
        (ADA, contact_to_json(ADA) | {"email": None}),
        (ADA, contact_to_json(ADA) | {"externalId": "54321"}),
        (ADA, contact_to_json(ADA) | {"externalId": None}),
        (a_contact(), contact_to_json(ADA)),
    ],
    ids=repr,
)
def test_another_contacts_result_leaves_this_one_uncertain(
    contact: Contact, request_echo: Any
) -> None:
    with pytest.raises(UncertainError, match="another contact's"):
        outcome(contact, request_echo, {"id": 5})


@given(contacts(sendable_json | dates))
def test_the_echo_of_any_contact_is_known_as_its_own(contact: Contact) -> None:
    assert outcome(contact, contact_to_json(contact), {"id": 5}) == 5


any_status = st.integers(100, 599) | st.just(200)
known_keys = st.sampled_from(
    ["asyncId", "results", "progress", "success", "message", "errorCode", "specificCode"]
)
any_answer = st.binary() | st.dictionaries(
    known_keys, any_json | st.sampled_from([400, 24091, 24114, 24115, 24448])
).map(lambda answer: json.dumps(answer).encode())


@given(any_status, any_answer)
def test_any_answer_about_a_batch_gives_a_value_or_a_contact_error(
    status: int, body: bytes
) -> None:
    with contextlib.suppress(ContactError):
        assert read_async_id(status, NO_HEADERS, body)
    with contextlib.suppress(ContactError):
        assert 0 <= read_progress(status, NO_HEADERS, body) <= 100
    with contextlib.suppress(ContactError):
        results = read_results(status, NO_HEADERS, body)
        assert results is None or all(isinstance(job, JobResult) for job in results)


any_job = st.dictionaries(st.sampled_from(["request", "response"]), any_json)


@given(st.lists(any_job | any_json))
def test_any_results_give_an_id_or_a_contact_error_for_each_contact(jobs: list[Any]) -> None:
    body = json.dumps({"results": jobs}).encode()
    try:
        results = read_results(200, NO_HEADERS, body) or ()
    except ContactError:
        return
    for job in results:
        with contextlib.suppress(ContactError):
            assert job_outcome(job, encode(ADA)) > 0
