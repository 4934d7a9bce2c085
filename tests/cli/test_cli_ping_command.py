import socket
import time
from pathlib import Path

import pytest

from contactsdk.cli import ping_command
from contactsdk.sandbox import Sandbox
from tests.cli.commanding import call


def test_ping_says_that_all_works(sandbox: Sandbox) -> None:
    result = call("ping")
    assert result.stdout.splitlines() == [
        "Address, key and secret work.",
        "The platform's clock is less than a second from this machine's.",
    ]


@pytest.mark.parametrize(
    ("off_s", "what"), [(60, "60 s ahead of"), (-60, "60 s behind"), (3600, "3600 s ahead of")]
)
def test_ping_says_how_far_the_clocks_are_apart(
    off_s: int, what: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both clocks stand still, so that nothing depends on the speed of the machine.
    now = 1_800_000_000.5
    monkeypatch.setattr(time, "time", lambda: now)
    sandbox.clock = lambda: now + off_s
    assert f"clock is {what} this machine's" in call("ping").stdout


def test_ping_with_a_wrong_secret_fails(sandbox: Sandbox, folder: Path) -> None:
    (folder / "secret").write_text("wrong-secret\n")
    result = call("ping", "--secret-file", "secret", code=3)
    assert result.output == (
        "contactsdk: Invalid API key or signature: check CONTACTSDK_KEY and CONTACTSDK_SECRET "
        "(or --key, --secret-file), and this machine's clock\n"
    )


def test_ping_to_a_sandbox_that_has_gone_says_so(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:  # it does not listen, so nobody answers there
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(ping_command, "DEADLINE_S", 0.1)
        said = call("ping", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}", code=3).stderr
    assert "nothing listens at this address; is contactsdk sandbox running?" in said


def test_secret_file_goes_before_the_environment(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "secret").write_text(f"{sandbox.secret}\n")
    monkeypatch.setenv("CONTACTSDK_SECRET", "wrong-secret")
    call("ping", "--secret-file", "secret")


def test_options_go_before_the_environment(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTSDK_URL", "https://example.test")
    monkeypatch.setenv("CONTACTSDK_KEY", "wrong")
    call("ping", "--url", sandbox.url, "--key", sandbox.key)
