from typing import Any

import pytest
from attrs import evolve

from contactsdk.cli.progress import bar, not_succeeded, note_of
from tests.cli.test_cli_timeline import progress


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, ""),
        (
            {"is_platform_away": True, "resumes_in_s": 7.6},
            "the platform is unavailable: trying again in 8 s",
        ),
        ({"is_platform_away": True}, "the platform is unavailable: trying again now"),
        ({"resumes_in_s": 30.0}, "the platform asks to wait: continuing in 30 s"),
        ({"rate_limit_per_s": 40.2}, "throttled by the platform to about 40 a second"),
    ],
)
def test_note_says_why_a_run_waits(changes: dict[str, Any], note: str) -> None:
    assert note_of(evolve(progress(1.0, 0), **changes)) == note


def test_bar_that_is_hidden_takes_the_progress_nevertheless() -> None:
    with bar(10, hidden=True) as show:
        show(evolve(progress(1.0, 7), failed=1))


def test_uncertain_contacts_are_not_counted_as_failed() -> None:
    assert not_succeeded(evolve(progress(1.0, 7), failed=2)) == "2 failed"
    both = evolve(progress(1.0, 7), failed=2, uncertain=13)
    assert not_succeeded(both) == "2 failed  13 uncertain"
