"""A durable record of a bulk run, so that one that was killed goes on where it stopped.

A row of the journal stands for an item of the input, by its number. `run.py` has the rules of a run
and `store.py` what they need of a place for rows: `sqlite.py` is one, `postgres.py` another. A new
kind of store also needs an entry in `cli/journal_place.py` and in `contactsdk/__init__.py`.
Neither is imported here, so that a program loads only the one that it uses.
"""

from contactsdk.journal.identity import Account
from contactsdk.journal.protocol import DEFAULT_ATTEMPT_TIMEOUT_S, Journal, RunJournal
from contactsdk.journal.rows import JournalRow, State
from contactsdk.journal.run import JournalRun
from contactsdk.journal.store import LeaseLapsedError

__all__ = [
    "DEFAULT_ATTEMPT_TIMEOUT_S",
    "Account",
    "Journal",
    "JournalRow",
    "JournalRun",
    "LeaseLapsedError",
    "RunJournal",
    "State",
]
