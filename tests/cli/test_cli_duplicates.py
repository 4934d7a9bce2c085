from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.cli.duplicates import Duplicates, Shared
from contactsdk.cli.spool import Spool


def found(keys: list[str], sorted_together: int = 4) -> Shared:
    with Spool[int]() as spool:
        duplicates = Duplicates(spool, sorted_together=sorted_together)
        for row, key in enumerate(keys, 2):
            duplicates.add(key, row)
        return duplicates.found()


def test_rows_with_the_same_key_are_found() -> None:
    assert found(list("abcbdba")) == Shared(rows=5, keys=2, first=((2, 8), (3, 5, 7)))


def test_rows_with_keys_of_their_own_are_not_found() -> None:
    assert found(list("abcdefgh")) == Shared(rows=0, keys=0, first=())
    assert found([]) == Shared(rows=0, keys=0, first=())


def test_only_the_first_rows_are_named() -> None:
    assert found(["a"] * 9) == Shared(rows=9, keys=1, first=((2, 3, 4, 5, 6),))
    assert found([*"aabbccdd"]) == Shared(rows=8, keys=4, first=((2, 3), (4, 5), (6, 7)))


@pytest.mark.parametrize("sorted_together", [1, 3, 1000])
@given(keys=st.lists(st.sampled_from("abcdefgh"), max_size=30))
def test_all_rows_are_counted_in_any_number_of_parts(keys: list[str], sorted_together: int) -> None:
    rows = defaultdict(list)
    for row, key in enumerate(keys, 2):
        rows[key].append(row)
    groups = sorted(tuple(it[:5]) for it in rows.values() if len(it) > 1)
    shared = found(keys, sorted_together)
    assert shared.first == tuple(groups[:3])
    assert shared.keys == len(groups)
    assert shared.rows == sum(len(it) for it in rows.values() if len(it) > 1)
