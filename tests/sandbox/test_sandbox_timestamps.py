import pytest

from contactsdk.sandbox.timestamps import read_timestamp, timestamp
from tests.sandbox.made import NOON


def test_timestamp_is_cut_to_whole_seconds() -> None:
    assert timestamp(NOON + 0.9) == "2026-11-23 12:00:00"


def test_timestamp_may_say_that_it_is_utc() -> None:
    assert timestamp(NOON, with_utc=True) == "2026-11-23 12:00:00 UTC"


@pytest.mark.parametrize("text", ["2026-11-23 12:00:00", "2026-11-23 12:00:00 UTC"])
def test_both_forms_of_a_timestamp_are_read(text: str) -> None:
    assert read_timestamp(text) == NOON


@pytest.mark.parametrize("text", ["", "2026-11-23", "2026-11-23T12:00:00", "yesterday"])
def test_other_texts_are_not_timestamps(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        read_timestamp(text)
