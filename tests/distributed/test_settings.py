"""The settings of a submitted run, as the database keeps them."""

import json
from typing import Any

import pytest

from contactsdk import RetryPolicy
from contactsdk.distributed import RunSettings


def test_settings_come_back_from_the_database_as_they_were() -> None:
    settings = RunSettings(
        retry=RetryPolicy(attempts=3, deadline_s=None, settle_s=60, resend_unfound=True),
        batch_size=200,
        rate_per_s=12.5,
        give_up_s=60,
        attempt_timeout_s=10,
    )

    assert RunSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_what_is_not_there_has_its_default() -> None:
    assert RunSettings.from_json({}) == RunSettings()


def test_worker_gets_all_but_the_rate_that_all_workers_share() -> None:
    settings = RunSettings(batch_size=10, rate_per_s=5)

    assert settings.bulk_options == {
        "retry": RetryPolicy(), "batch_size": 10, "give_up_s": 300.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [{"batch_size": 201}, {"rate_per_s": 0}, {"give_up_s": -1}, {"attempt_timeout_s": 0}],
)
def test_number_that_is_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RunSettings(**wrong)
