"""Batches: jobs that the platform accepts at once and executes later; no I/O."""

import heapq
import random
import secrets
from collections.abc import Callable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

import attrs

from contactsdk.sandbox.faults import FaultPlan, JobFault
from contactsdk.sandbox.guesses import Guesses
from contactsdk.sandbox.replies import RefusedError, invalid, missing

JOBS_MAX = 200
KEPT_S = 2 * 86_400.0


@attrs.define(kw_only=True, eq=False)
class Job:
    """One job of a batch."""

    namespace: str
    """The namespace of the action, such as `contact`."""
    action: str
    """The name of the action, such as `addOrUpdateContact`."""
    params: Mapping[str, Any]
    """The parameters of the action, as they were sent."""
    fault: JobFault | None = None
    """What goes wrong with the job on purpose; `None` for nothing."""
    done: bool = False
    """Whether the job has had its turn, even if a fault kept it from being executed."""
    response: Any = None
    """The response to the job in the batch's results; `None` if it was never executed."""


@attrs.define(kw_only=True, eq=False)
class Batch:
    """One batch that was accepted."""

    async_id: str
    """The id that the platform gave the batch."""
    number: int
    """The number of the batch, counted from 1 in order of arrival."""
    request: int
    """The number of the request that brought the batch."""
    jobs: tuple[Job, ...]
    """The jobs in the order in which they were sent."""
    callback_url: str | None = None
    """The address to which the results are posted when they are complete; `None` for none."""
    completed_at: float | None = None
    """When the last job had its turn, in epoch seconds; `None` while jobs are left."""

    @property
    def progress(self) -> int:
        """The share of jobs that have had their turn, in percent from 0 to 100."""
        return sum(job.done for job in self.jobs) * 100 // len(self.jobs)

    def results(self, guesses: Guesses) -> dict[str, Any]:
        """The JSON object that `results` answers, and that is posted to the callback."""
        return {
            "asyncId": self.async_id,
            "results": [
                {
                    "namespace": job.namespace,
                    "action": job.action,
                    "request": _echo(job.params, guesses),
                    "response": job.response,
                }
                for job in self.jobs
                if job.fault is not JobFault.RESULT_MISSING
            ],
        }


class Batches:
    """All batches of a sandbox, and when each of their jobs is due.

    `execute` executes one job, given its batch and its position from 0, and returns its response.
    `rate_per_s` is called for each new batch, and returns how many of its jobs are executed per
    second; `None` executes them all at once.
    """

    def __init__(
        self,
        guesses: Guesses,
        execute: Callable[[Batch, int], Any],
        rate_per_s: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.faults: FaultPlan[JobFault] = FaultPlan()
        self._guesses = guesses
        self._execute = execute
        self._rate_per_s = rate_per_s
        self._random = random.Random(0)
        self._batches: dict[str, Batch] = {}
        # A heap of (when a job is due, number of its batch, position of the job in the batch).
        self._due: list[tuple[float, int, int]] = []
        self._jobs: dict[int, tuple[Batch, list[int], float]] = {}
        self.all: Mapping[str, Batch] = MappingProxyType(self._batches)
        """asyncId -> batch, in order of arrival."""

    def clear(self) -> None:
        """Forget all batches, and the scripted faults of jobs."""
        self._batches.clear()
        self._due.clear()
        self._jobs.clear()
        self.faults.clear()

    def newest(self, count: int) -> list[Batch]:
        """The batches that arrived last, the newest first."""
        return list(islice(reversed(self._batches.values()), count))

    def run(self, params: Mapping[str, Any], request: int, now: float) -> Batch:
        """Accept a batch.

        Raises:
            RefusedError: 400 with specificCode 23016, 23017, 24092, 24093 or 24448.
        """
        jobs = _jobs_of(params)
        for job in jobs:
            job.fault = self.faults.draw()
        batch = Batch(
            async_id=secrets.token_hex(16),
            number=len(self._batches) + 1,
            request=request,
            jobs=tuple(jobs),
            callback_url=params.get("callbackUrl"),
        )
        self._batches[batch.async_id] = batch
        self._schedule(batch, list(range(len(jobs))), now)
        return batch

    def progress(self, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        """The answer to `progress`.

        Raises:
            RefusedError: 400 with specificCode 24105 if the batch is not known, or no longer kept.
        """
        return {"progress": self._kept(params, now, 24105).progress}

    def results(self, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        """The answer to `results`.

        Raises:
            RefusedError: 400 with specificCode 24115 if the batch is not known, or no longer kept;
                24114 if it is not completed yet.
        """
        batch = self._kept(params, now, 24115)
        if batch.completed_at is None:
            raise _not_completed()
        return batch.results(self._guesses)

    def restart(self, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Make jobs of the batch due again, and return the answer to `restart`.

        Raises:
            RefusedError: As for `progress`.
        """
        batch = self._kept(params, now, 24105)
        again = [
            position
            for position, job in enumerate(batch.jobs)
            if self._guesses.batch_restart == "all" or job.response is None
        ]
        for position in again:
            batch.jobs[position].done, batch.jobs[position].fault = False, None
        if again:
            batch.completed_at = None
            self._schedule(batch, again, now)
        return {"restarted": True}

    def completed(self, params: Mapping[str, Any], now: float) -> Batch:
        """The completed batch that the parameters of `repost` name.

        Raises:
            RefusedError: As for `progress`, and 24114 if the batch is not completed yet.
        """
        batch = self._kept(params, now, 24105)
        if batch.completed_at is None:
            raise _not_completed()
        return batch

    def advance(self, now: float) -> list[Batch]:
        """Execute each job that is due, in order, and return the batches that this completed."""
        completed = []
        while self._due and self._due[0][0] <= now:
            due_at, number, turn = heapq.heappop(self._due)
            batch, order, interval_s = self._jobs[number]
            self._do(batch, order[turn])
            if turn + 1 < len(order):
                heapq.heappush(self._due, (due_at + interval_s, number, turn + 1))
            else:
                del self._jobs[number]
                batch.completed_at = due_at
                completed.append(batch)
        return completed

    @property
    def next_due(self) -> float | None:
        """When the next job is due, in epoch seconds; `None` if no job is left."""
        return self._due[0][0] if self._due else None

    def _schedule(self, batch: Batch, positions: list[int], now: float) -> None:
        if self._guesses.batch_order == "shuffled":
            self._random.shuffle(positions)
        rate_per_s = self._rate_per_s()
        interval_s = 1 / rate_per_s if rate_per_s else 0.0
        # If a batch is restarted before its end, its jobs are scheduled anew.
        self._due = [due for due in self._due if due[1] != batch.number]
        heapq.heapify(self._due)
        self._jobs[batch.number] = (batch, positions, interval_s)
        heapq.heappush(self._due, (now + interval_s, batch.number, 0))

    def _do(self, batch: Batch, position: int) -> None:
        job = batch.jobs[position]
        job.done = True
        if job.fault is not JobFault.NEVER_EXECUTED:
            job.response = self._execute(batch, position)

    def _kept(self, params: Mapping[str, Any], now: float, unknown: int) -> Batch:
        for name in params.keys() - {"async"}:
            raise invalid(name, "Unknown parameter")
        if "async" not in params:
            raise missing("async")
        async_id = params["async"]
        batch = self._batches.get(async_id) if isinstance(async_id, str) else None
        if batch is None or (batch.completed_at is not None and now - batch.completed_at > KEPT_S):
            raise RefusedError(400, "There is no such batch", unknown)
        return batch


def _not_completed() -> RefusedError:
    return RefusedError(400, "The batch is not completed yet", 24114)


def _jobs_of(params: Mapping[str, Any]) -> list[Job]:
    for name in params.keys() - {"jobs", "callbackUrl"}:
        raise invalid(name, "Unknown parameter")
    if not params.get("jobs"):
        raise missing("jobs")
    jobs, callback_url = params["jobs"], params.get("callbackUrl")
    if not isinstance(jobs, list):
        raise invalid("jobs", "Value must be a list")
    if callback_url is not None and not isinstance(callback_url, str):
        raise invalid("callbackUrl", "Value must be a string")
    if len(jobs) > JOBS_MAX:
        raise RefusedError(400, f"A batch has at most {JOBS_MAX} jobs", 24448)
    return [_job_of(job) for job in jobs]


def _job_of(job: Any) -> Job:
    if not isinstance(job, dict) or job.keys() - {"params"} != {"namespace", "action"}:
        raise RefusedError(400, "A job is an object of namespace, action and params", 24092)
    if not all(isinstance(job[name], str) and job[name] for name in ("namespace", "action")):
        raise RefusedError(400, "A job's namespace and action must be strings", 24092)
    params = job.get("params")
    if not params:
        raise RefusedError(400, "A job's params must not be empty", 24093)
    if not isinstance(params, dict):
        raise RefusedError(400, "A job's params must be an object", 24092)
    return Job(namespace=job["namespace"], action=job["action"], params=params)


def _echo(params: Mapping[str, Any], guesses: Guesses) -> dict[str, Any]:
    """A job's parameters as its result repeats them.

    If they are normalised, their order is another one, the id is a string, and missing fields are
    null.
    """
    if guesses.batch_echo == "as_sent":
        return dict(params)
    echo: dict[str, Any] = {"phone": None, "externalId": None, **params}
    if "id" in echo:
        echo["id"] = str(echo["id"])
    return dict(sorted(echo.items()))
