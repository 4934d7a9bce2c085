"""Settling: finding out, by looking on the platform, what became of an uncertain add."""

from contactsdk.settling.answered_ids import AnsweredIds, KeysInDoubt
from contactsdk.settling.search import (
    Ambiguous,
    Found,
    NotYet,
    Search,
    Several,
    filter_for,
    judge,
    may_not_look,
)
from contactsdk.settling.single_call import MOST_PAGES, CallSettler

__all__ = [
    "MOST_PAGES",
    "Ambiguous",
    "AnsweredIds",
    "CallSettler",
    "Found",
    "KeysInDoubt",
    "NotYet",
    "Search",
    "Several",
    "filter_for",
    "judge",
    "may_not_look",
]
