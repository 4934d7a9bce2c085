import pickle

import pytest
from attrs.exceptions import FrozenInstanceError

from contactsdk import (
    BulkReport,
    ContactError,
    InvalidContactError,
    Outcome,
    Progress,
    RejectedError,
    SetupError,
    UnavailableError,
    UncertainError,
)
from tests.examples import a_contact


def an_outcome(index: int, error: ContactError | None = None) -> Outcome:
    return Outcome(
        index=index,
        contact=a_contact(),
        id=100 + index if error is None else None,
        error=error,
        attempts=1,
        elapsed_s=0.5,
    )


REPORT = BulkReport(
    outcomes=(
        an_outcome(0),
        an_outcome(1, RejectedError("no such group")),
        an_outcome(2, UncertainError("no answer")),
        an_outcome(3, UnavailableError("away")),
        an_outcome(4),
        an_outcome(5, RejectedError("no such group")),
    ),
    stopped_by=None,
    elapsed_s=12.34,
)


def test_success_has_no_message_and_is_not_uncertain() -> None:
    outcome = an_outcome(0)

    assert (outcome.ok, outcome.message, outcome.uncertain) == (True, "", False)


def test_failure_has_the_message_of_its_error() -> None:
    outcome = an_outcome(0, RejectedError("no such group"))

    assert (outcome.ok, outcome.message, outcome.uncertain) == (False, "no such group", False)


def test_message_says_why_the_platform_refused() -> None:
    error = RejectedError("'groups' does not validate", additional_messages=["Group 99 is unknown"])
    outcome = an_outcome(0, error)

    assert outcome.message == "'groups' does not validate; Group 99 is unknown"
    assert str(error) == "'groups' does not validate"


def test_uncertain_is_neither_success_nor_failure() -> None:
    outcome = an_outcome(0, UncertainError("no answer"))

    assert (outcome.ok, outcome.uncertain) == (False, True)
    assert outcome not in BulkReport(outcomes=(outcome,), stopped_by=None, elapsed_s=1.0).failures


def test_success_goes_through_pickle() -> None:
    assert pickle.loads(pickle.dumps(an_outcome(3))) == an_outcome(3)


@pytest.mark.parametrize(
    "error",
    [
        UncertainError("no answer", http_status=500, error_code=500, attempts=3),
        InvalidContactError([(("email",), "is missing")]),
    ],
)
def test_failure_goes_through_pickle_with_its_error(error: ContactError) -> None:
    copy = pickle.loads(pickle.dumps(an_outcome(3, error)))

    assert type(copy.error) is type(error)
    assert vars(copy.error) == vars(error)
    assert (copy.index, copy.contact, copy.id, copy.attempts) == (3, a_contact(), None, 1)


def test_report_divides_its_outcomes_in_input_order() -> None:
    assert REPORT.ids == (100, 104)
    assert [outcome.index for outcome in REPORT.failures] == [1, 3, 5]
    assert [outcome.index for outcome in REPORT.uncertain] == [2]


def test_report_counts_messages_with_the_most_frequent_first() -> None:
    assert list(REPORT.messages.items()) == [("no such group", 2), ("no answer", 1), ("away", 1)]


def test_report_prints_counts_and_messages() -> None:
    assert str(REPORT).splitlines() == [
        "6 read, 2 succeeded, 3 failed, 1 uncertain in 12.3 s",
        "      2 x no such group",
        "      1 x no answer",
        "      1 x away",
    ]


def test_report_prints_how_many_uncertain_contacts_were_found() -> None:
    outcome = Outcome(0, a_contact(), 7, None, 1, 1.0, settled=True)
    report = BulkReport(outcomes=(outcome,), stopped_by=None, elapsed_s=1.0)

    assert str(report).splitlines()[1:] == ["1 were uncertain and then found"]


def test_report_prints_what_stopped_the_run() -> None:
    report = BulkReport(outcomes=(), stopped_by=SetupError("wrong address"), elapsed_s=0.0)

    assert str(report).splitlines() == [
        "0 read, 0 succeeded, 0 failed, 0 uncertain in 0.0 s",
        "stopped: wrong address",
    ]


def test_report_goes_through_pickle() -> None:
    report = BulkReport(outcomes=(an_outcome(0),), stopped_by=None, elapsed_s=1.0)

    assert pickle.loads(pickle.dumps(report)) == report


def test_progress_is_frozen() -> None:
    progress = Progress(
        read=1,
        succeeded=1,
        failed=0,
        uncertain=0,
        in_flight=0,
        throttled=0,
        rate_limit_per_s=None,
        is_platform_away=False,
        resumes_in_s=None,
        paused_s=0.0,
        rate_per_s=1.0,
        elapsed_s=1.0,
    )

    with pytest.raises(FrozenInstanceError):
        progress.read = 2  # type: ignore[misc]
