from collections.abc import Callable
from typing import Any

import pytest

from contactsdk.sandbox import Batch, Guesses, JobFault
from contactsdk.sandbox.batches import Batches
from contactsdk.sandbox.replies import RefusedError
from tests.sandbox.made import BOBBY, NOON

DAY_S = 86_400.0


class Executed:
    """Batches whose jobs only note that they were executed, in which order."""

    def __init__(self, rate_per_s: float | None = None, **guesses: Any) -> None:
        self.jobs: list[tuple[int, int]] = []
        self.rate_per_s = rate_per_s
        self.batches = Batches(Guesses(**guesses), self.execute, lambda: self.rate_per_s)

    def execute(self, batch: Batch, position: int) -> Any:
        self.jobs.append((batch.number, position))
        return {"id": len(self.jobs)}

    def run(self, count: int = 1, now: float = NOON) -> Batch:
        return self.batches.run({"jobs": [job() for _ in range(count)]}, 1, now)


def job(**params: Any) -> dict[str, Any]:
    return {
        "namespace": "contact",
        "action": "addOrUpdateContact",
        "params": params or BOBBY,
    }


def of(batch: Batch) -> dict[str, Any]:
    return {"async": batch.async_id}


def refusal(call: Callable[[], Any]) -> tuple[int, int | None]:
    with pytest.raises(RefusedError) as refused:
        call()
    return refused.value.error_code, refused.value.specific_code


def test_batch_is_executed_at_once_where_no_speed_is_set() -> None:
    executed = Executed()
    batch = executed.run(3)
    assert executed.batches.advance(NOON) == [batch]
    assert executed.jobs == [(1, 0), (1, 1), (1, 2)]
    assert batch.completed_at == NOON
    assert executed.batches.progress(of(batch), NOON) == {"progress": 100}


def test_batch_is_executed_at_its_speed() -> None:
    executed = Executed(rate_per_s=2)
    batch = executed.run(3)
    done = []
    for tenth in range(16):
        completed = executed.batches.advance(NOON + tenth / 10)
        done.append(len(executed.jobs))
        assert completed == ([batch] if tenth == 15 else [])
    assert done == [0] * 5 + [1] * 5 + [2] * 5 + [3]
    assert batch.completed_at == NOON + 1.5


def test_progress_is_in_percent() -> None:
    executed = Executed(rate_per_s=1)
    batch = executed.run(3)
    executed.batches.advance(NOON + 1)
    assert executed.batches.progress(of(batch), NOON + 1) == {"progress": 33}


def test_batches_run_side_by_side() -> None:
    executed = Executed(rate_per_s=1)
    executed.run(2)
    executed.run(2, NOON + 0.5)
    executed.batches.advance(NOON + 10)
    assert executed.jobs == [(1, 0), (2, 0), (1, 1), (2, 1)]


def test_speed_counts_from_the_next_batch_on() -> None:
    executed = Executed(rate_per_s=1)
    executed.run(1)
    executed.rate_per_s = None
    executed.run(1)
    executed.batches.advance(NOON)
    assert executed.jobs == [(2, 0)]


def test_next_job_is_known_by_the_time_at_which_it_is_due() -> None:
    executed = Executed(rate_per_s=2)
    assert executed.batches.next_due is None
    executed.run(1)
    assert executed.batches.next_due == NOON + 0.5
    executed.batches.advance(NOON + 1)
    assert executed.batches.next_due is None


def test_jobs_may_be_shuffled_and_results_are_in_the_order_sent() -> None:
    executed = Executed(batch_order="shuffled")
    batch = executed.run(30)
    executed.batches.advance(NOON)
    order = [position for _, position in executed.jobs]
    assert order != list(range(30))
    assert sorted(order) == list(range(30))
    results = executed.batches.results(of(batch), NOON)["results"]
    assert [order[result["response"]["id"] - 1] for result in results] == list(range(30))


def test_results_are_there_once_all_is_done() -> None:
    executed = Executed(rate_per_s=1)
    batch = executed.run(2)
    executed.batches.advance(NOON + 1)
    assert refusal(lambda: executed.batches.results(of(batch), NOON + 1)) == (400, 24114)
    executed.batches.advance(NOON + 2)
    assert executed.batches.results(of(batch), NOON + 2) == {
        "asyncId": batch.async_id,
        "results": [
            {
                "namespace": "contact",
                "action": "addOrUpdateContact",
                "request": BOBBY,
                "response": {"id": number},
            }
            for number in (1, 2)
        ],
    }


def test_results_are_forgotten_two_days_after_the_batch_was_completed() -> None:
    executed = Executed()
    batch, later = executed.run(), NOON + 2 * DAY_S
    executed.batches.advance(NOON)
    executed.batches.results(of(batch), later)
    executed.batches.progress(of(batch), later)
    assert refusal(lambda: executed.batches.results(of(batch), later + 1)) == (400, 24115)
    assert refusal(lambda: executed.batches.progress(of(batch), later + 1)) == (400, 24105)


def test_batch_that_goes_on_is_not_forgotten() -> None:
    executed = Executed(rate_per_s=1e-6)
    batch = executed.run()
    assert executed.batches.progress(of(batch), NOON + 3 * DAY_S) == {"progress": 0}


@pytest.mark.parametrize("async_id", ["unknown", 5, None, []])
def test_unknown_batch_has_a_code_for_each_action(async_id: Any) -> None:
    batches, params = Executed().batches, {"async": async_id}
    assert refusal(lambda: batches.progress(params, NOON)) == (400, 24105)
    assert refusal(lambda: batches.results(params, NOON)) == (400, 24115)
    assert refusal(lambda: batches.restart(params, NOON)) == (400, 24105)
    assert refusal(lambda: batches.completed(params, NOON)) == (400, 24105)


def test_batch_is_asked_for_only_by_its_id() -> None:
    batches = Executed().batches
    assert refusal(lambda: batches.progress({}, NOON)) == (400, 23017)
    assert refusal(lambda: batches.progress({"async": "a", "x": 1}, NOON)) == (400, 23016)


@pytest.mark.parametrize(
    ("params", "specific_code"),
    [
        ({}, 23017),
        ({"jobs": []}, 23017),
        ({"jobs": {"0": job()}}, 23016),
        ({"jobs": [job()], "callbackUrl": 5}, 23016),
        ({"jobs": [job()], "more": 1}, 23016),
        ({"jobs": [job()] * 201}, 24448),
        ({"jobs": [5]}, 24092),
        ({"jobs": [{"namespace": "contact", "params": BOBBY}]}, 24092),
        ({"jobs": [{**job(), "more": 1}]}, 24092),
        ({"jobs": [{**job(), "namespace": ""}]}, 24092),
        ({"jobs": [{**job(), "action": 5}]}, 24092),
        ({"jobs": [{**job(), "params": [1]}]}, 24092),
        ({"jobs": [job(), {**job(), "params": {}}]}, 24093),
        ({"jobs": [{"namespace": "contact", "action": "addOrUpdateContact"}]}, 24093),
    ],
)
def test_batch_that_is_not_well_formed_is_refused_whole(
    params: dict[str, Any], specific_code: int
) -> None:
    executed = Executed()
    assert refusal(lambda: executed.batches.run(params, 1, NOON)) == (400, specific_code)
    assert not executed.batches.all
    assert executed.batches.next_due is None


def test_two_hundred_jobs_are_accepted() -> None:
    assert len(Executed().run(200).jobs) == 200


def test_job_that_is_never_executed_has_a_result_with_no_response() -> None:
    executed = Executed()
    executed.batches.faults.script.extend([None, JobFault.NEVER_EXECUTED])
    batch = executed.run(3)
    executed.batches.advance(NOON)
    results = executed.batches.results(of(batch), NOON)["results"]
    assert [result["response"] for result in results] == [{"id": 1}, None, {"id": 2}]
    assert executed.jobs == [(1, 0), (1, 2)]


def test_result_that_is_missing_was_executed() -> None:
    executed = Executed()
    executed.batches.faults.script.extend([None, JobFault.RESULT_MISSING])
    batch = executed.run(3)
    executed.batches.advance(NOON)
    results = executed.batches.results(of(batch), NOON)["results"]
    assert [result["response"] for result in results] == [{"id": 1}, {"id": 3}]


def test_restart_runs_what_was_never_executed() -> None:
    executed = Executed()
    executed.batches.faults.script.extend([None, JobFault.NEVER_EXECUTED])
    batch = executed.run(3)
    executed.batches.advance(NOON)
    assert executed.batches.restart(of(batch), NOON) == {"restarted": True}
    assert refusal(lambda: executed.batches.results(of(batch), NOON)) == (400, 24114)
    executed.batches.advance(NOON)
    results = executed.batches.results(of(batch), NOON)["results"]
    assert [result["response"]["id"] for result in results] == [1, 3, 2]


def test_restart_leaves_a_completed_batch_alone() -> None:
    executed = Executed()
    batch = executed.run(2)
    executed.batches.advance(NOON)
    executed.batches.restart(of(batch), NOON)
    executed.batches.advance(NOON)
    assert executed.jobs == [(1, 0), (1, 1)]


def test_restart_may_run_everything_again() -> None:
    executed = Executed(batch_restart="all")
    batch = executed.run(2)
    executed.batches.advance(NOON)
    executed.batches.restart(of(batch), NOON)
    executed.batches.advance(NOON)
    assert executed.jobs == [(1, 0), (1, 1)] * 2


def test_batch_restarted_before_its_end_does_no_job_twice() -> None:
    executed = Executed(rate_per_s=1)
    batch = executed.run(3)
    executed.batches.advance(NOON + 1)
    executed.batches.restart(of(batch), NOON + 1)
    executed.batches.advance(NOON + 10)
    assert executed.jobs == [(1, 0), (1, 1), (1, 2)]


def test_only_a_completed_batch_can_be_posted_again() -> None:
    executed = Executed(rate_per_s=1)
    batch = executed.run()
    assert refusal(lambda: executed.batches.completed(of(batch), NOON)) == (400, 24114)
    executed.batches.advance(NOON + 1)
    assert executed.batches.completed(of(batch), NOON + 1) is batch


def test_request_may_be_echoed_in_another_form() -> None:
    executed = Executed(batch_echo="normalised")
    batch = executed.batches.run({"jobs": [job(**BOBBY), job(id=7, phone="1")]}, 1, NOON)
    executed.batches.advance(NOON)
    first, second = executed.batches.results(of(batch), NOON)["results"]
    assert first["request"] == {**BOBBY, "externalId": None, "phone": None}
    assert list(first["request"]) == sorted(first["request"])
    assert second["request"] == {"externalId": None, "id": "7", "phone": "1"}


def test_cleared_batches_are_neither_known_nor_executed() -> None:
    executed = Executed(rate_per_s=1)
    batch = executed.run(2)
    executed.batches.faults.script.append(JobFault.REJECTED)
    executed.batches.clear()
    executed.batches.advance(NOON + 10)
    assert executed.jobs == []
    assert refusal(lambda: executed.batches.progress(of(batch), NOON)) == (400, 24105)
    assert executed.run().number == 1
    assert executed.run().jobs[0].fault is None
