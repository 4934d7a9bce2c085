import pytest

from contactsdk.cli.account import address_shown
from tests.cli.commanding import call

HINT = "No account? `contactsdk sandbox --env-file sandbox.env`, in a window of its own, plays"


def test_without_any_setting_the_sandbox_is_named() -> None:
    assert HINT in call("ping", code=2).stderr


def test_settings_that_are_empty_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTACTSDK_URL", "https://example.test")
    monkeypatch.setenv("CONTACTSDK_KEY", "")
    said = call("ping", code=2).stderr
    assert "Set, but empty: CONTACTSDK_KEY. " in said
    assert HINT in said


def test_single_setting_that_is_missing_is_no_reason_to_suspect_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONTACTSDK_URL", "https://example.test")
    said = call("ping", code=2).stderr
    assert "missing: CONTACTSDK_KEY (or --key), CONTACTSDK_SECRET" in said
    assert HINT not in said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.us-west-2.ivvy.com/", "https://api.us-west-2.ivvy.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080 (this machine)"),
        ("http://[::1]:8080", "http://[::1]:8080 (this machine)"),
        ("https://ada:secret@example.com/ivvy", "https://example.com/ivvy"),
    ],
)
def test_address_is_shown_without_a_password(url: str, shown: str) -> None:
    assert address_shown(url) == shown
