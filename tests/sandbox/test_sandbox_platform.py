from typing import Any

import orjson
import pytest

from contactsdk.sandbox import Batch, FieldType, JobFault, Ledger, Rival
from contactsdk.sandbox.account import Account
from contactsdk.sandbox.platform import Origin, Platform, read_object
from contactsdk.sandbox.replies import RefusedError, UnsuccessfulError
from tests.sandbox.asking import (
    ADD,
    FIELDS,
    GET,
    GROUPS,
    JOIN,
    LIST,
    PING,
    PROGRESS,
    REPOST,
    RESTART,
    RESULTS,
    RUN,
    batch_of,
)
from tests.sandbox.made import BOBBY, NOON, Clock, rules


class Called:
    """A platform, what it wrote, and the batches that it said to be completed."""

    def __init__(self, account: Account | None = None, **guesses: Any) -> None:
        self.ledger = Ledger()
        self.completed: list[Batch] = []
        self.platform = Platform(
            rules(account, **guesses), Clock(), self.ledger, on_completed=self.completed.append
        )

    def __call__(self, action: str, params: dict[str, Any] | None = None) -> Any:
        body = b"" if params is None else orjson.dumps(params)
        return self.platform.call(action, body, Origin(request=7), NOON)

    def refusal(self, action: str, params: dict[str, Any]) -> tuple[int, int | None]:
        with pytest.raises(RefusedError) as refused:
            self(action, params)
        return refused.value.error_code, refused.value.specific_code

    def results(self, *jobs: dict[str, Any]) -> list[Any]:
        """The responses to the jobs of one batch."""
        batch = self(RUN, {"jobs": list(jobs)})
        self.platform.advance()
        results = self(RESULTS, {"async": batch["asyncId"]})["results"]
        return [result["response"] for result in results]


@pytest.fixture
def call() -> Called:
    return Called()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b'{"a":NaN}', b'{"a":1e999}', b"\xff", b"[" * 5000]
)
def test_body_that_is_not_a_json_object_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        read_object(body)
    assert caught.value.error_code == 400


@pytest.mark.parametrize("action", [ADD, GET, LIST, GROUPS, FIELDS, JOIN, PING])
def test_documented_actions_of_contacts_are_there(call: Called, action: str) -> None:
    assert call.platform.has(action)


@pytest.mark.parametrize("action", [RUN, PROGRESS, RESULTS, RESTART, REPOST])
def test_documented_actions_of_batches_are_there(call: Called, action: str) -> None:
    assert call.platform.has(action)


def test_other_actions_are_not_there(call: Called) -> None:
    assert not call.platform.has("contact?action=deleteContact")


def test_added_contact_is_read_alone_and_in_a_list(call: Called) -> None:
    call(ADD, {**BOBBY, "status": 2})
    alone = call(GET, {"id": 1001, "useEventSortOrder": True})
    [listed] = call(LIST, {})["results"]
    assert (alone["status"], alone["isAnonymised"]) == (2, False)
    assert listed.items() <= alone.items()
    assert "status" not in listed


def test_contact_is_read_by_a_string_of_digits_too(call: Called) -> None:
    call(ADD, BOBBY)
    assert call(GET, {"id": "1001"})["id"] == 1001


@pytest.mark.parametrize(
    ("params", "codes"),
    [
        ({}, (400, 23017)),
        ({"id": "one"}, (400, 23016)),
        ({"id": None}, (400, 23016)),
        ({"id": True}, (400, 23016)),
        ({"id": 1, "useEventSortOrder": 1}, (400, 23016)),
        ({"id": 1, "x": 1}, (400, 23016)),
        ({"id": 1}, (404, 24096)),
    ],
)
def test_contact_that_cannot_be_got(
    call: Called, params: dict[str, Any], codes: tuple[int, int]
) -> None:
    assert call.refusal(GET, params) == codes


@pytest.mark.parametrize("params", [None, {}])
def test_lists_of_what_was_declared_need_no_body(params: dict[str, Any] | None) -> None:
    call = Called(Account.declared(groups=[10], custom_fields={1: FieldType.DATE}))
    assert [group["id"] for group in call(GROUPS, params)] == [10]
    assert [field["fieldId"] for field in call(FIELDS, params)] == [1]


def test_contacts_join_a_group_and_it_is_said_for_each(call: Called) -> None:
    call(ADD, {**BOBBY, "groups": [{"groupId": 10}]})
    assert call(JOIN, {"contacts": [1001, "1002"], "group": 11}) == [
        {"contactId": 1001, "status": True},
        {"contactId": 1002, "status": False},
    ]
    assert call.platform.contacts.present[1001]["groups"] == [{"groupId": 10}, {"groupId": 11}]


@pytest.mark.parametrize(
    ("params", "specific_code"),
    [
        ({"group": 10}, 23017),
        ({"contacts": [1001]}, 23017),
        ({"contacts": 1001, "group": 10}, 23016),
        ({"contacts": ["a"], "group": 10}, 23016),
        ({"contacts": [1001], "group": "a"}, 23016),
        ({"contacts": [1001], "group": 11}, 23016),
    ],
)
def test_group_that_cannot_be_joined(params: dict[str, Any], specific_code: int) -> None:
    call = Called(Account.declared(groups=[10]))
    assert call.refusal(JOIN, params) == (400, specific_code)


@pytest.mark.parametrize(
    ("guess", "text"), [("plain", "2026-11-23 12:00:00"), ("with_utc", "2026-11-23 12:00:00 UTC")]
)
def test_ping_is_answered_with_the_time(guess: str, text: str) -> None:
    assert Called(timestamps=guess)(PING) == {"ack": text}


def test_write_of_a_batch_is_recorded_with_its_batch_and_position(call: Called) -> None:
    call(ADD, BOBBY)
    async_id = call(RUN, batch_of(BOBBY, {**BOBBY, "email": "no"}, {"id": 1001}))["asyncId"]
    call.platform.advance()
    assert [(write.async_id, write.job) for write in call.ledger.writes] == [
        (None, None),
        (async_id, 0),
        (async_id, 2),
    ]
    assert {write.request for write in call.ledger.writes} == {7}


def test_any_action_but_a_batch_may_be_a_job(call: Called) -> None:
    responses = call.results(
        {"namespace": "test", "action": "ping", "params": {"a": 1}},
        {"namespace": "contact", "action": "getContact", "params": {"id": 5}},
        {"namespace": "contact", "action": "unknown", "params": {"id": 5}},
        {"namespace": "batch", "action": "results", "params": {"async": "a"}},
    )
    assert responses[0] == {"ack": "2026-11-23 12:00:00"}
    assert [response["errorCode"] for response in responses[1:]] == [404, 404, 404]


def test_job_may_be_refused_without_an_error_code() -> None:
    call = Called(repeated_add="refuse")
    responses = call.results(*batch_of(BOBBY, BOBBY)["jobs"])
    assert [response["success"] for response in responses] == [True, False]


@pytest.mark.parametrize("fault", list(JobFault))
def test_job_that_goes_wrong_writes_what_its_fault_says(call: Called, fault: JobFault) -> None:
    call.platform.batches.faults.script.append(fault)
    call.results(*batch_of(BOBBY)["jobs"])
    assert len(call.ledger.writes) == fault.writes


def test_error_codes_of_jobs_may_be_texts() -> None:
    call = Called(codes="text")
    assert call.results(*batch_of({"id": 5})["jobs"])[0]["errorCode"] == "404"


def test_completed_batch_is_posted_once_and_again_when_that_is_asked_for(call: Called) -> None:
    async_id = call(RUN, batch_of(BOBBY))["asyncId"]
    call.platform.advance()
    call.platform.advance()
    assert [batch.async_id for batch in call.completed] == [async_id]
    assert call(REPOST, {"async": async_id}) == {"reposted": True}
    assert [batch.async_id for batch in call.completed] == [async_id] * 2


def test_rivals_write_around_a_write(call: Called) -> None:
    call.platform.rivals.plan.script.append(Rival.ADDS_NAMESAKE_BEFORE)
    assert call(ADD, BOBBY)["id"] == 1002


def test_refused_contact_is_not_recorded() -> None:
    call = Called(repeated_add="refuse")
    call(ADD, BOBBY)
    with pytest.raises(UnsuccessfulError):
        call(ADD, BOBBY)
    assert len(call.ledger.writes) == 1


def test_cleared_platform_forgets_contacts_lists_and_batches(call: Called) -> None:
    call(ADD, BOBBY)
    async_id = call(RUN, batch_of(BOBBY))["asyncId"]
    call.platform.clear()
    assert call(LIST, {})["results"] == []
    assert call.refusal(PROGRESS, {"async": async_id}) == (400, 24105)
    assert call(ADD, BOBBY)["id"] == 1001
