"""A whole list is read page by page, however it moves meanwhile."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.errors import UnavailableError
from contactsdk.lookups import ListTooLongError, read_list
from contactsdk.wire import ContactPage, ListedContact


class MovingList:
    """A list that `move` changes before the nth page, from 1, is given."""

    def __init__(
        self,
        ids: list[int],
        *,
        per_page: int = 3,
        move: Callable[[int, list[int]], None] = lambda nth, ids: None,
        says_total: bool = True,
    ) -> None:
        self.ids = ids
        self.per_page = per_page
        self.says_total = says_total
        self.starts: list[int] = []
        self._move = move

    async def page_at(self, start: int) -> ContactPage:
        self.starts.append(start)
        self._move(len(self.starts), self.ids)
        given = self.ids[start : start + self.per_page]
        contacts = tuple(ListedContact(id=id_, modified=None, shown={"id": id_}) for id_ in given)
        return ContactPage(contacts=contacts, total=len(self.ids) if self.says_total else None)


def read(moving: MovingList, **limits: int) -> list[int]:
    return [contact.id for contact in asyncio.run(read_list(moving.page_at, **limits))]


@given(
    count=st.integers(min_value=0, max_value=20),
    per_page=st.integers(min_value=1, max_value=7),
)
def test_list_that_stands_still_is_read_whole_and_in_order(count: int, per_page: int) -> None:
    ids = list(range(1, count + 1))

    assert read(MovingList(ids, per_page=per_page)) == ids


@pytest.mark.parametrize("count", [0, 1, 3, 5, 6, 9])
def test_list_whose_length_is_not_said_is_read_whole(count: int) -> None:
    ids = list(range(1, count + 1))

    assert read(MovingList(ids, says_total=False)) == ids


@pytest.mark.parametrize("says_total", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_list_of_one_contact_a_page_is_read_whole(count: int, says_total: bool) -> None:
    ids = list(range(1, count + 1))

    assert read(MovingList(ids, per_page=1, says_total=says_total)) == ids


@given(st.data())
def test_nothing_that_stood_in_the_list_all_the_time_is_skipped_or_doubled(
    data: st.DataObject,
) -> None:
    stays = list(range(100, 100 + data.draw(st.integers(min_value=1, max_value=12))))

    def move(nth: int, ids: list[int]) -> None:
        if nth > 8:
            return
        match data.draw(st.sampled_from(["enter", "leave", "stand"])):
            case "enter":
                ids.insert(data.draw(st.integers(min_value=0, max_value=len(ids))), nth)
            case "leave":
                for id_ in [id_ for id_ in ids if id_ < 100][:1]:
                    ids.remove(id_)

    found = read(MovingList(list(stays), move=move), most_passes=20)

    assert len(found) == len(set(found))
    assert [id_ for id_ in found if id_ >= 100] == stays


def test_list_that_moves_each_time_is_given_up() -> None:
    moving = MovingList([5, 6, 7, 8, 9], move=lambda nth, ids: ids.insert(0, 100 + nth))

    with pytest.raises(UnavailableError, match="changed each time"):
        read(moving, most_passes=3)


def test_list_that_has_too_many_pages_is_left_after_the_first() -> None:
    moving = MovingList(list(range(10)))

    with pytest.raises(ListTooLongError, match="more than 3 pages"):
        read(moving, most_pages=3)

    assert moving.starts == [0]


def test_list_whose_length_is_not_said_is_left_after_as_many_pages() -> None:
    moving = MovingList(list(range(10)), says_total=False)

    with pytest.raises(ListTooLongError):
        read(moving, most_pages=2)

    assert moving.starts == [0, 2, 4]


def test_list_of_as_many_pages_as_are_allowed_is_read() -> None:
    assert read(MovingList(list(range(3))), most_pages=1) == [0, 1, 2]


def test_list_that_shows_a_contact_twice_is_read_again() -> None:
    def move(nth: int, ids: list[int]) -> None:
        ids[:] = [1, 2, 1] if nth == 1 else [1, 2, 3]

    assert read(MovingList([], move=move)) == [1, 2, 3]
