"""Settling: looking on the platform to find out whether an uncertain add was applied."""

from contactsdk.settling.answered_ids import AnsweredIds, KeysInDoubt
from contactsdk.settling.search import (
    Ambiguous,
    Found,
    NotYet,
    Search,
    Several,
    filter_for,
    is_lookup_forbidden,
    judge,
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
    "is_lookup_forbidden",
    "judge",
]
