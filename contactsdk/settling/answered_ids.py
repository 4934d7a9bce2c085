"""Ids that the platform has answered: they show that a listed contact is not the one just added.

A list shows when a contact was modified, but not when it was added. So an older contact of the same
name that somebody has just edited looks like one that was just added. The id tells them apart. Ids
grow: no page says so, but the ids in the platform's examples do. So if the platform answered an id
before an add was sent, every contact with that id or a lower one is older than the add.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Final

_MANY: Final = 10_000


class AnsweredIds:
    """The ids that the platform has answered to calls and runs of one client.

    The floor of an add is the highest id that was answered before the add was sent. `keeps` says
    whether to keep single ids too, which only settling needs. To keep them few, ids that were
    answered before the oldest open add was sent are dropped from time to time.
    """

    def __init__(self, *, keeps: bool) -> None:
        self.highest = 0
        """The highest id that was answered so far; 0 for none."""
        self._keeps = keeps
        self._kept: set[int] = set()
        self._keeps_at_most = _MANY
        # Floor -> how many adds with it are open. A floor never falls, so the first is the lowest.
        self._open: dict[int, int] = {}

    def record(self, contact_id: int) -> None:
        """Record an id that the platform answered, or that a settled contact has."""
        if contact_id > self.highest:
            self.highest = contact_id
        if self._keeps:
            self._kept.add(contact_id)
            if len(self._kept) > self._keeps_at_most:
                self._drop_old_ones()

    def note_highest(self, contact_id: int) -> None:
        """Note that the platform has answered this id to another client or an earlier run."""
        self.highest = max(self.highest, contact_id)

    @property
    def kept(self) -> int:
        """How many single ids are kept."""
        return len(self._kept)

    def begin_add(self) -> int:
        """Note that an add is about to be sent; returns its floor, which the new id is above."""
        floor = self.highest
        self._open[floor] = self._open.get(floor, 0) + 1
        return floor

    def end_add(self, floor: int) -> None:
        """Note that an add with this floor has its outcome."""
        self._open[floor] -= 1
        if not self._open[floor]:
            del self._open[floor]

    def rules_out(self, contact_id: int, floor: int) -> bool:
        """Whether an add with this floor cannot have created the contact with this id.

        That is so if the contact is older than the add, or if another call or outcome has the id.
        """
        return contact_id <= floor or contact_id in self._kept

    def _drop_old_ones(self) -> None:
        lowest = next(iter(self._open), self.highest)
        self._kept = {contact_id for contact_id in self._kept if contact_id > lowest}
        self._keeps_at_most = _MANY + 2 * len(self._kept)


class KeysInDoubt:
    """The keys of uncertain contacts: those being looked up, and those that were not found.

    A contact that was not found may have been applied nevertheless, and may be listed later. If
    another contact with the same key is uncertain too, a listed contact may be either of them.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def enter(self, key: Hashable) -> None:
        """Note that a contact with this key has become uncertain."""
        self._counts[hash(key)] += 1

    def leave(self, key: Hashable) -> None:
        """Note that a contact with this key was found."""
        self._counts[hash(key)] -= 1
        if not self._counts[hash(key)]:
            del self._counts[hash(key)]

    def is_shared(self, key: Hashable) -> bool:
        """Whether more than one contact with this key is uncertain."""
        return self._counts[hash(key)] > 1
