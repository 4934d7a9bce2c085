"""How far a run in a PostgreSQL database has come, as whoever looks at it sees it."""

from collections.abc import Sequence

from attrs import frozen

from contactsdk.journal.postgres_submitted import FoundProgress


@frozen(kw_only=True)
class RunStatus:
    """How far a run has come, and which process sends it."""

    recorded: int
    """How many items were begun; of a run that was submitted, how many were added so far."""
    succeeded: int
    """How many contacts were added or updated."""
    refused: int
    """How many were refused or are invalid, which is final."""
    uncertain: int
    """How many may or may not have been applied."""
    owner: str | None
    """Which process sends it now, by host and number; `None` where none does, or several do."""
    lease_left_s: float
    """For how many seconds nobody else may take it over; 0 where no process sends it."""
    workers: int = 0
    """How many processes send it now."""
    is_submitted: bool = False
    """Whether it was submitted for workers."""
    is_sealed: bool = False
    """Whether all of a submitted run's input was added; only then it is sent."""
    stopped_for: str | None = None
    """Why a submitted run was stopped; `None` where it was not."""

    @property
    def open(self) -> int:
        """How many are in flight, or were not applied and are sent when the run goes on."""
        return self.recorded - self.succeeded - self.refused - self.uncertain

    @property
    def remarks(self) -> Sequence[str]:
        """That a submitted run is not whole, was stopped, or is being sent; a sentence each."""
        remarks = []
        if self.is_submitted and not self.is_sealed:
            remarks.append(
                f"Only {self.recorded:,} rows of its input were added so far, and none is sent "
                "before all are: submit the same input again"
            )
        if self.stopped_for is not None:
            remarks.append(f"Stopped: {self.stopped_for}")
        if self.is_submitted and self.workers:
            remarks.append(f"Workers that send it now: {self.workers}")
        return remarks


def status_of(found: FoundProgress) -> RunStatus:
    """The status of a run, given what the database says of it."""
    return RunStatus(
        recorded=found.recorded,
        succeeded=found.succeeded,
        refused=found.failed,
        uncertain=found.uncertain,
        owner=found.owners[0] if len(found.owners) == 1 else None,
        lease_left_s=found.left_s,
        workers=len(found.owners),
        is_submitted=found.is_submitted,
        is_sealed=found.is_sealed,
        stopped_for=found.stopped_for,
    )
