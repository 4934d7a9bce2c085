from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from contactsdk.cli.in_order import InOrder
from contactsdk.cli.spool import Spool


def test_value_is_handed_on_as_soon_as_all_before_it_are_there() -> None:
    taken: list[str] = []
    with Spool[tuple[int, str]]() as spool:
        in_order = InOrder(taken.append, spool)
        in_order.put(1, "b")
        in_order.put(2, "c")
        assert taken == []
        in_order.put(0, "a")
        assert taken == ["a", "b", "c"]
        in_order.put(3, "d")
        assert taken == ["a", "b", "c", "d"]


@given(st.permutations(range(60)), st.integers(0, 20))
def test_order_of_the_values_is_that_of_their_numbers(numbers: list[int], held: int) -> None:
    taken: list[int] = []
    with Spool[tuple[int, int]]() as spool:
        in_order = InOrder(taken.append, spool, held=held)
        for number in numbers:
            in_order.put(number, number)
    assert taken == list(range(60))


def test_what_waits_for_one_value_does_not_stay_in_memory() -> None:
    taken: list[int] = []
    with Spool[tuple[int, int]]() as spool:
        in_order = InOrder(taken.append, spool, held=100)
        for number in range(1, 10_000):
            in_order.put(number, number)
        assert len(in_order) <= 100
        in_order.put(0, 0)
    assert taken == list(range(10_000))


def test_values_that_the_spool_cannot_take_stay_in_memory() -> None:
    class Full(Spool[tuple[int, int]]):
        def extend(self, values: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
            raise OSError("No space left on device")

    taken: list[int] = []
    with Full() as spool:
        in_order = InOrder(taken.append, spool, held=10)
        for number in range(1, 100):
            in_order.put(number, number)
        in_order.put(0, 0)
    assert taken == list(range(100))
