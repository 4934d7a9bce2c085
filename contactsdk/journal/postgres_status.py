"""The progress of a run in a PostgreSQL database, for programs that only look at it."""

from collections.abc import Sequence

from attrs import frozen

from contactsdk.journal.postgres_submitted import FoundProgress


@frozen(kw_only=True)
class RunStatus:
    """The progress of a run, and the process that sends it."""

    recorded: int
    """How many items have a row: those that were started, or in a submitted run, those that are in
    the database so far."""
    succeeded: int
    """How many contacts were added or updated."""
    refused: int
    """How many items have failed for good: the contact was refused or is invalid."""
    uncertain: int
    """How many contacts may or may not have been applied."""
    owner: str | None
    """The process that sends the run now, as host and process id; `None` if no process or more than
    one sends it."""
    lease_left_s: float
    """For how many seconds no other process may take the run over; 0 if no process sends it."""
    workers: int = 0
    """How many processes send the run now."""
    is_submitted: bool = False
    """Whether the run was submitted for workers."""
    is_sealed: bool = False
    """Whether the whole input of a submitted run is in the database; it is sent only then."""
    stopped_for: str | None = None
    """Why a submitted run was stopped; `None` if it was not."""

    @property
    def open(self) -> int:
        """How many contacts are in flight, wait to be sent, or were not applied and will be sent
        when the run continues.
        """
        return self.recorded - self.succeeded - self.refused - self.uncertain

    @property
    def remarks(self) -> Sequence[str]:
        """One sentence each if a submitted run is not sealed, was stopped, or is being sent."""
        remarks = []
        if self.is_submitted and not self.is_sealed:
            remarks.append(
                f"Only {self.recorded:,} rows of its input were added so far, and nothing is sent "
                "before all are added: submit the same input again"
            )
        if self.stopped_for is not None:
            remarks.append(f"Stopped: {self.stopped_for}")
        if self.is_submitted and self.workers:
            remarks.append(f"Workers that are sending it now: {self.workers}")
        return remarks


def status_of(found: FoundProgress) -> RunStatus:
    """The public status of a run, from the row that the database returned."""
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
