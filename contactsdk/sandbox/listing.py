"""Answers getContactList: filters, sorts and pages the contacts."""

from collections import deque
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import attrs

from contactsdk.sandbox.contacts import Stored
from contactsdk.sandbox.custom_fields import is_whole
from contactsdk.sandbox.guesses import Guesses
from contactsdk.sandbox.replies import invalid
from contactsdk.sandbox.timestamps import read_timestamp
from contactsdk.sandbox.validation import Rules
from contactsdk.sandbox.views import contact_in_list, page_meta

PER_PAGE = 20

_TEXTS = ("externalId", "firstName", "lastName", "email", "phone")
_NUMBERS = ("id", "status", "smsStatus")
_NULL = ("__ISNULL__", "ISNULL")
_Test = Callable[[Stored], bool]


class ContactIndex:
    """The contacts as lists show them: each change appears some time after it was made, in order.

    `clock` returns epoch seconds. `lag_s` is called for each change, and returns after how many
    seconds lists show it.
    """

    def __init__(self, clock: Callable[[], float], lag_s: Callable[[], float]) -> None:
        self._clock = clock
        self._lag_s = lag_s
        self._shown: dict[int, Stored] = {}
        self._waiting: deque[tuple[float, Stored]] = deque()

    def put(self, stored: Stored) -> None:
        """Show this state of a contact once the lag is over."""
        due = self._clock() + self._lag_s()
        if self._waiting:
            due = max(due, self._waiting[-1][0])
        self._waiting.append((due, stored))
        self._show_what_is_due()

    def clear(self) -> None:
        """Forget all contacts."""
        self._shown.clear()
        self._waiting.clear()

    def shown(self) -> Collection[Stored]:
        """The contacts that lists show now."""
        self._show_what_is_due()
        return self._shown.values()

    def _show_what_is_due(self) -> None:
        now = self._clock()
        while self._waiting and self._waiting[0][0] <= now:
            _, stored = self._waiting.popleft()
            self._shown[stored.contact_id] = stored


@attrs.frozen(kw_only=True)
class Page:
    """The part of a list that a request asks for."""

    start: int
    per_page: int


def contact_list(
    params: Mapping[str, Any],
    contacts: Collection[Stored],
    rules: Rules,
    *,
    per_page_max: int,
    hidden: Collection[str] = (),
) -> dict[str, Any]:
    """The answer to getContactList: one page of those of `contacts` that pass every filter.

    Raises:
        RefusedError: 400 with specificCode 23016 for a parameter or filter that does not validate.
    """
    page = _page(params, per_page_max)
    tests = _tests(params.get("filter") or {}, rules.guesses)
    found = [stored for stored in contacts if all(test(stored) for test in tests)]
    found.sort(key=lambda stored: stored.contact_id)
    if rules.guesses.list_order == "newest_first":
        found.sort(key=lambda stored: stored.modified_at, reverse=True)
    results = [
        contact_in_list(stored, rules, hidden)
        for stored in found[page.start : page.start + page.per_page]
    ]
    return {
        "meta": page_meta(results, len(found), page.start, page.per_page),
        "results": results,
    }


def _page(params: Mapping[str, Any], per_page_max: int) -> Page:
    for name in params.keys() - {"filter", "perPage", "start"}:
        raise invalid(name, "Unknown parameter")
    per_page, start = params.get("perPage", PER_PAGE), params.get("start", 0)
    if not is_whole(per_page) or per_page < 1:
        raise invalid("perPage", "Value must be a positive whole number")
    if not is_whole(start) or start < 0:
        raise invalid("start", "Value must be a whole number from 0")
    return Page(start=start, per_page=min(per_page, per_page_max))


def _tests(filters: Any, guesses: Guesses) -> list[_Test]:
    if not isinstance(filters, dict):
        raise invalid("filter", "Value must be an object")
    tests = [_test(name, wanted, guesses) for name, wanted in filters.items()]
    return [] if guesses.filters == "ignored" else [test for test in tests if test]


def _test(name: str, wanted: Any, guesses: Guesses) -> _Test | None:
    """The test of one filter; `None` if every contact passes it."""
    match name:
        case "fromModifiedDate" | "toModifiedDate":
            return _modified(name, wanted, inclusive=guesses.modified_bounds == "inclusive")
        case "companyId" if is_whole(wanted):
            return lambda stored: wanted in stored.contact.get("companies", ())
        case "venueId" | "venueGroupId" if is_whole(wanted):
            return None  # no page says how a contact gets a venue, so all contacts pass
        case "companyId" | "venueId" | "venueGroupId":
            raise invalid("filter", f"{name} must be a whole number")
    prop, _, modifier = name.partition("__")
    compare = _COMPARISONS.get(modifier)
    if prop not in (*_TEXTS, *_NUMBERS) or compare is None:
        if guesses.unknown_filters == "ignore":
            return None
        raise invalid("filter", f"{name} is not a filter")
    if isinstance(wanted, (dict, list)):
        raise invalid("filter", f"{name} must be a text or a number")
    key = _number if prop in _NUMBERS else str.casefold if guesses.filters == "any_case" else str
    return partial(_passes, prop, compare, key, "" if wanted in _NULL else key(str(wanted)))


def _modified(name: str, wanted: Any, *, inclusive: bool) -> _Test:
    try:
        bound = read_timestamp(wanted)
    except (TypeError, ValueError, AttributeError):
        raise invalid("filter", f"{name} must be a timestamp") from None
    sign = 1 if name == "fromModifiedDate" else -1

    def is_within(stored: Stored) -> bool:
        beyond = (stored.modified_at - bound) * sign
        return beyond >= 0 if inclusive else beyond > 0

    return is_within


def _passes(
    prop: str,
    compare: Callable[[str, str], bool],
    key: Callable[[str], str],
    wanted: str,
    stored: Stored,
) -> bool:
    value = stored.contact.get(prop)
    return compare("" if value is None else key(str(value)), wanted)


def _number(text: str) -> str:
    """Digits padded to a fixed width: as texts, they compare like their numbers."""
    return text.zfill(20)


# The page "Filtering" lists all of these except EQUALS.
_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "": lambda value, wanted: value == wanted,
    "EQUALS": lambda value, wanted: value == wanted,
    "NOT": lambda value, wanted: value != wanted,
    "CONTAINS": lambda value, wanted: wanted in value,
    "NOTCONTAINS": lambda value, wanted: wanted not in value,
    "BEGINS": lambda value, wanted: value.startswith(wanted),
    "ENDS": lambda value, wanted: value.endswith(wanted),
    "LESSTHAN": lambda value, wanted: value <= wanted,
    "GREATERTHAN": lambda value, wanted: value >= wanted,
    "EMPTY": lambda value, wanted: not value,
}
