"""Answers that do not come from the platform, but for example from a firewall in between."""

from typing import Final

from contactsdk.errors import ContactError, UnavailableError, converted
from contactsdk.retry import Fail
from contactsdk.wire import is_foreign

_MOST_IN_A_ROW: Final = 3


class ForeignAnswers:
    """Decides whether a foreign refusal is about one contact or about the whole set-up.

    A 403, 404 or 405 without the platform's JSON may be about one contact, whose text a firewall
    blocks, or about all contacts, for example if the address is wrong. It is about one contact if
    another contact succeeds. It is about all if three contacts in a row got such an answer. A
    contact that has no attempts left is judged at once: by whether any call has succeeded so far.
    `is_proven` says that a call succeeded before the run.
    """

    def __init__(self, *, is_proven: bool = False) -> None:
        self._is_proven = is_proven
        self._successes = 0
        self._since_success: set[int] = set()
        self._successes_before: dict[int, int] = {}

    def record_success(self, index: int) -> None:
        """Note that the contact at this index was applied, so the set-up is right."""
        self._successes += 1
        if self._since_success:
            self._since_success.clear()
        if self._successes_before:
            self._successes_before.pop(index, None)

    def judge(self, index: int, error: ContactError) -> ContactError | Fail:
        """The error to decide on a retry with, or a `Fail` if the contact is known to be the cause.

        While the cause is not known, the error is an `UnavailableError`: nothing was applied.
        """
        if not is_foreign(error):
            return error
        self._since_success.add(index)
        if len(self._since_success) >= _MOST_IN_A_ROW:
            return error
        undecided = converted(
            error,
            UnavailableError,
            f"not applied: HTTP {error.http_status} from a system between here and the platform, "
            "such as a firewall",
        )
        before = self._successes_before.setdefault(index, self._successes)
        if self._successes > before:
            del self._successes_before[index]
            return Fail(undecided)
        return undecided

    def judge_last(self, index: int, error: ContactError, undecided: ContactError) -> ContactError:
        """The final error of a contact whose cause is still not known after its last attempt."""
        self._successes_before.pop(index, None)
        return undecided if self._successes or self._is_proven else error
