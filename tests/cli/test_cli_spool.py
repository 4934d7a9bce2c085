from contactsdk.cli.spool import Spool


def test_values_are_read_in_the_order_in_which_they_were_added() -> None:
    with Spool[int]() as spool:
        for number in range(1000):
            spool.append(number)
        assert list(spool) == list(range(1000))
        assert list(spool) == list(range(1000))


def test_spool_without_values_gives_none() -> None:
    with Spool[int]() as spool:
        assert list(spool) == []
        assert list(spool.extend([])) == []


def test_readers_and_a_writer_take_turns() -> None:
    with Spool[int]() as spool:
        for number in range(600):
            spool.append(number)
        one, other = iter(spool), iter(spool)
        assert [next(one) for _ in range(300)] == list(range(300))
        assert [next(other) for _ in range(10)] == list(range(10))
        spool.append(600)
        assert list(one) == list(range(300, 600))
        assert list(spool) == list(range(601))


def test_part_is_read_by_itself() -> None:
    with Spool[int]() as spool:
        spool.append(1)
        some = spool.extend(range(500))
        more = spool.extend([7])
        assert list(more) == [7]
        assert list(some) == list(range(500))
