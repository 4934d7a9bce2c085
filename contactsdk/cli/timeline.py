"""How fast a run went and when it stood still, in points of which there are never many."""

from attrs import frozen

from contactsdk.bulk import Progress

_MOST: int = 240


@frozen(kw_only=True)
class Span:
    """A part of a run."""

    start_s: float
    """When it began, from the start of the run."""
    end_s: float
    """When it ended."""
    contacts: int
    """How many contacts came to an end in it."""
    paused_s: float
    """For how many seconds of it the whole run waited for the platform."""


class Timeline:
    """Takes the progress of a run as it comes, and keeps at most 240 spans of it.

    When there are too many, each two neighbours become one, and later spans are as long as these.
    The first contacts to come to an end are not part of it where `from_journal` of them were sent
    in an earlier run.
    """

    def __init__(self, from_journal: int = 0, *, most: int = _MOST) -> None:
        self._from_journal = from_journal
        self._most = most
        self._least_s = 0.0
        self._spans: list[Span] = []
        self._start_s = self._paused_s = 0.0
        self._done = 0

    def add(self, progress: Progress) -> None:
        """Note how far the run has come."""
        if progress.elapsed_s - self._start_s <= self._least_s:
            return
        done = progress.succeeded + progress.failed + progress.uncertain
        done = max(0, done - self._from_journal)
        self._spans.append(
            Span(
                start_s=self._start_s,
                end_s=progress.elapsed_s,
                contacts=done - self._done,
                paused_s=progress.paused_s - self._paused_s,
            )
        )
        self._start_s, self._done, self._paused_s = progress.elapsed_s, done, progress.paused_s
        if len(self._spans) > self._most:
            pairs = zip(self._spans[::2], self._spans[1::2], strict=False)
            odd = self._spans[len(self._spans) & ~1 :]
            self._spans = [*(_joined(*pair) for pair in pairs), *odd]
            self._least_s = self._start_s / len(self._spans)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The parts of the run, in order."""
        return tuple(self._spans)


def _joined(one: Span, next_one: Span) -> Span:
    return Span(
        start_s=one.start_s,
        end_s=next_one.end_s,
        contacts=one.contacts + next_one.contacts,
        paused_s=one.paused_s + next_one.paused_s,
    )
