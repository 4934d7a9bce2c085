"""What a client knows that rules out that a contact of a list is the one that was added.

Lists show when a contact was modified, and not when it was added. So an older contact of the same
names that somebody has just edited looks like one that was just added. Its id tells: ids grow (no
page says so, but those of the platform's examples do), so a contact with an id that is not above
every id that was answered before an add was sent is older than the add.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Final

_MANY: Final = 10_000


class AnsweredIds:
    """The ids that the platform has answered to calls and runs of one client.

    `keeps` says whether to keep the single ids, which only settling needs. Kept are those that were
    answered while an add was open, so that they are few. The floor of an add is the highest id
    answered before it was sent.
    """

    def __init__(self, *, keeps: bool) -> None:
        self.highest = 0
        """The highest id that was ever answered; 0 for none."""
        self._keeps = keeps
        self._kept: set[int] = set()
        self._keeps_at_most = _MANY
        # Floor -> how many adds with it are open. A floor never falls, so the first is the lowest.
        self._open: dict[int, int] = {}

    def record(self, contact_id: int) -> None:
        """This id was answered, or a contact was settled with it."""
        if contact_id > self.highest:
            self.highest = contact_id
        if self._keeps:
            self._kept.add(contact_id)
            if len(self._kept) > self._keeps_at_most:
                self._drop_old_ones()

    def note_highest(self, contact_id: int) -> None:
        """The ids up to this one were answered by the platform, to whomever."""
        self.highest = max(self.highest, contact_id)

    @property
    def kept(self) -> int:
        """How many single ids are kept."""
        return len(self._kept)

    def begin_add(self) -> int:
        """An add is about to be sent; its floor: the id of what it adds is above that."""
        floor = self.highest
        self._open[floor] = self._open.get(floor, 0) + 1
        return floor

    def end_add(self, floor: int) -> None:
        """The add with this floor has its outcome."""
        self._open[floor] -= 1
        if not self._open[floor]:
            del self._open[floor]

    def rules_out(self, contact_id: int, floor: int) -> bool:
        """Whether an add with this floor cannot have made the contact with this id.

        The contact is older, or the id was given to another call or outcome.
        """
        return contact_id <= floor or contact_id in self._kept

    def _drop_old_ones(self) -> None:
        lowest = next(iter(self._open), self.highest)
        self._kept = {contact_id for contact_id in self._kept if contact_id > lowest}
        self._keeps_at_most = _MANY + 2 * len(self._kept)


class KeysInDoubt:
    """The keys of uncertain contacts: those that are looked for, and those that were not found.

    A contact that was not found may have been written all the same, and may show up later. It is
    equal to a later one with the same key, so neither can be told from the other.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def enter(self, key: Hashable) -> None:
        """A contact with this key has become uncertain."""
        self._counts[hash(key)] += 1

    def leave(self, key: Hashable) -> None:
        """A contact with this key was found."""
        self._counts[hash(key)] -= 1
        if not self._counts[hash(key)]:
            del self._counts[hash(key)]

    def is_shared(self, key: Hashable) -> bool:
        """Whether more than one contact with this key is uncertain."""
        return self._counts[hash(key)] > 1
