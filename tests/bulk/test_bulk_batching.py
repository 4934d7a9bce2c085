"""The pure parts of batches."""

import itertools

from contactsdk import RejectedError, SetupError, UnavailableError, UncertainError
from contactsdk.bulk.batching import BatchSize, Patience, halves, may_be_for_one, poll_waits_s
from contactsdk.bulk.schedule import Job
from contactsdk.errors import InvalidContactError
from contactsdk.retry import Delivery


def jobs(count: int) -> list[Job]:
    wrong = InvalidContactError([((), "no")])
    return [Job(index, wrong, None, Delivery(False, 0.0, None)) for index in range(count)]


def test_waits_for_results_grow_from_a_quarter_of_a_second_to_five() -> None:
    waits = list(itertools.islice(poll_waits_s(), 20))

    assert waits[0] == 0.25
    assert waits == sorted(waits)
    assert waits[-1] == 5.0
    assert sum(wait < 5.0 for wait in waits) == 8


def test_batch_size_is_half_of_what_was_too_large_and_never_grows() -> None:
    size = BatchSize(200)

    size.shrink(150)
    assert size.most == 75
    size.shrink(200)
    assert size.most == 75
    size.shrink(1)
    assert size.most == 1


def test_halves_of_a_batch_keep_its_order_and_all_of_it() -> None:
    whole = jobs(5)
    first, second = halves(whole)

    assert [len(first), len(second)] == [2, 3]
    assert first + second == whole


def test_only_a_refusal_may_be_for_one_contact() -> None:
    assert may_be_for_one(RejectedError("no"))
    assert may_be_for_one(SetupError("blocked", http_status=403))
    assert not may_be_for_one(SetupError("no right", http_status=403, error_code=403))
    assert not may_be_for_one(UnavailableError("away"))
    assert not may_be_for_one(UncertainError("lost"))


def test_patience_begins_anew_with_each_progress_and_with_nothing_else() -> None:
    patience = Patience(100.0, now=0.0)

    assert not patience.is_running_out(49.0)
    assert patience.is_running_out(50.0)
    patience.record_progress(10, now=60.0)
    assert not patience.is_over(159.0)
    patience.record_progress(10, now=150.0)
    assert patience.is_over(160.0)
