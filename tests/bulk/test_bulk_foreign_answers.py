"""Answers of a firewall or another server: one contact's failure, or a set-up that is wrong."""

from collections.abc import Callable

import pytest

from contactsdk import (
    AuthenticationError,
    ContactError,
    RetryPolicy,
    SetupError,
    UnavailableError,
    UncertainError,
)
from contactsdk.bulk import collect
from contactsdk.bulk.foreign_answers import ForeignAnswers
from contactsdk.errors import RejectedError
from contactsdk.retry import Fail
from tests.bulk.held import HeldPlatform, errors, in_held_time, many, number, stream_of


def blocked() -> ContactError:
    return AuthenticationError("HTTP 403 without a readable answer", http_status=403)


def not_found() -> ContactError:
    return SetupError("HTTP 404 without a readable answer", http_status=404)


@pytest.mark.parametrize("refused", [0, 5, 19])
@pytest.mark.parametrize("answer", [blocked, not_found])
@in_held_time
async def test_one_refused_contact_is_its_own_failure_and_stops_nothing(
    answer: Callable[[], ContactError], refused: int
) -> None:
    platform = HeldPlatform(lambda c: answer() if number(c) == refused else 1)

    report = await collect(stream_of(many(20), platform, is_proven=False))

    assert report.stopped_by is None
    assert [outcome.index for outcome in report.failures] == [refused]
    assert errors(report.failures) == [UnavailableError]
    assert "firewall" in report.failures[0].message
    assert len(report.ids) == 19


@pytest.mark.parametrize("concurrency", [1, 8])
@in_held_time
async def test_three_different_contacts_in_a_row_are_a_wrong_setup(concurrency: int) -> None:
    platform = HeldPlatform(lambda _: not_found())

    report = await collect(stream_of(many(50), platform, concurrency=concurrency))

    assert isinstance(report.stopped_by, SetupError)
    assert len(report.outcomes) <= 3 + 2 * concurrency
    assert SetupError in errors(report.outcomes)


@in_held_time
async def test_wrong_address_is_found_where_there_is_a_single_contact() -> None:
    platform = HeldPlatform(lambda _: not_found())

    report = await collect(stream_of(many(1), platform, is_proven=False))

    assert isinstance(report.stopped_by, SetupError)
    assert errors(report.outcomes) == [SetupError]


@in_held_time
async def test_update_that_may_have_been_applied_stays_uncertain() -> None:
    answers = iter([UncertainError("no answer"), blocked(), blocked(), blocked()])
    platform = HeldPlatform(lambda c: next(answers) if number(c) == 0 else 1)

    report = await collect(
        stream_of(
            many(20, update_if_exists=True), platform, concurrency=1, policy=RetryPolicy(base_s=0.1)
        )
    )

    assert errors(report.outcomes[:1]) == [UncertainError]
    assert report.stopped_by is None


def test_answers_of_the_platform_itself_do_not_concern_other_contacts() -> None:
    judge = ForeignAnswers()
    for error in (
        RejectedError("no", http_status=404, error_code=404),
        AuthenticationError("no", http_status=403, error_code=403),
        SetupError("elsewhere", http_status=302),
    ):
        assert judge.judge(0, error) is error


def test_contact_is_undecided_until_another_one_succeeds() -> None:
    judge = ForeignAnswers()

    first = judge.judge(7, blocked())
    second = judge.judge(7, blocked())
    judge.record_success(8)
    third = judge.judge(7, blocked())

    assert isinstance(first, UnavailableError)
    assert isinstance(second, UnavailableError)
    assert isinstance(third, Fail)


def test_contact_that_gets_through_after_all_is_forgotten() -> None:
    judge = ForeignAnswers()
    judge.judge(7, blocked())
    judge.record_success(7)

    assert isinstance(judge.judge(7, blocked()), UnavailableError)
