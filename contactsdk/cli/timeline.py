"""Records how fast a run went and when it was paused, in a limited number of spans."""

from attrs import frozen

from contactsdk.bulk import Progress

_MOST: int = 240


@frozen(kw_only=True)
class Span:
    """A part of a run."""

    start_s: float
    """When the span began, in seconds from the start of the run."""
    end_s: float
    """When the span ended, in seconds from the start of the run."""
    contacts: int
    """How many contacts got their outcome in it."""
    paused_s: float
    """For how many seconds of it the whole run waited for the platform."""


class Timeline:
    """Takes the progress of a run as it comes, and keeps at most `most` spans of it.

    When there are more, each two adjacent spans are joined, and later spans are at least as long as
    the joined ones. The first `from_journal` outcomes are not counted: they come from an earlier
    run.
    """

    def __init__(self, from_journal: int = 0, *, most: int = _MOST) -> None:
        self._from_journal = from_journal
        self._most = most
        self._least_s = 0.0
        self._spans: list[Span] = []
        self._start_s = self._paused_s = 0.0
        self._done = 0

    def add(self, progress: Progress) -> None:
        """Take the progress of the run at this moment."""
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
