"""A durable record of a bulk run: a run that was killed continues where it stopped.

Each row of the journal stands for one item of the input, by the item's number. `run.py` has the
rules of a run. `store.py` has the interface of the stores that keep the rows. There are two stores:
`sqlite.py` and `postgres.py`. Neither is imported here, so a program loads only the one that it
uses. A new kind of store also needs an entry in `cli/journal_place.py` and in
`contactsdk/__init__.py`.
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
