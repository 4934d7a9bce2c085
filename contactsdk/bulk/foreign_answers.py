"""Answers that are not the platform's, such as a firewall's, judged by what other contacts get."""

from typing import Final

from contactsdk.errors import ContactError, UnavailableError, converted
from contactsdk.retry import Fail
from contactsdk.wire import is_foreign

_MOST_IN_A_ROW: Final = 3


class ForeignAnswers:
    """Tells a gateway's refusal of one contact from a wrong set-up.

    A 403, 404 or 405 without the platform's JSON may be about one contact, whose text a firewall
    does not let pass, or about all of them, such as after a wrong address. Which of the two is
    known once another contact succeeds, or once three contacts in a row got such an answer.
    After the last attempt of a contact it counts if any call succeeded before; `is_proven` says
    that one did before the run.
    """

    def __init__(self, *, is_proven: bool = False) -> None:
        self._is_proven = is_proven
        self._successes = 0
        self._since_success: set[int] = set()
        self._successes_before: dict[int, int] = {}

    def record_success(self, index: int) -> None:
        """A contact was applied, so the set-up is right."""
        self._successes += 1
        if self._since_success:
            self._since_success.clear()
        if self._successes_before:
            self._successes_before.pop(index, None)

    def judge(self, index: int, error: ContactError) -> ContactError | Fail:
        """The error to go on with, or the end of the call if it is known.

        An answer that is undecided was not applied, and is an `UnavailableError` meanwhile.
        """
        if not is_foreign(error):
            return error
        self._since_success.add(index)
        if len(self._since_success) >= _MOST_IN_A_ROW:
            return error
        undecided = converted(
            error,
            UnavailableError,
            f"not applied: HTTP {error.http_status} from something between here and the platform, "
            "such as a firewall",
        )
        before = self._successes_before.setdefault(index, self._successes)
        if self._successes > before:
            del self._successes_before[index]
            return Fail(undecided)
        return undecided

    def judge_last(self, index: int, error: ContactError, undecided: ContactError) -> ContactError:
        """The error of a contact that is still undecided after its last attempt."""
        self._successes_before.pop(index, None)
        return undecided if self._successes or self._is_proven else error
