import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from contactsdk.cli import probe_command
from contactsdk.sandbox import Fault, FaultKind, FieldType, Guesses, Sandbox
from contactsdk.sandbox.contacts import Change, Contacts
from tests.background import sandbox_in_thread
from tests.cli.commanding import ADD, call


@pytest.fixture
def guesses() -> Guesses:
    return Guesses()


@pytest.fixture
def sandbox(guesses: Guesses) -> Iterator[Sandbox]:
    fields = {1: FieldType.SMALL_TEXT, 2: FieldType.SMALL_TEXT}
    with sandbox_in_thread(groups={10: "VIP"}, custom_fields=fields, guesses=guesses) as running:
        yield running


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(_delay_s: float) -> None:
        pass

    monkeypatch.setattr(probe_command, "sleep", sleep)


def test_probe_prints_what_was_assumed_and_seen(sandbox: Sandbox, folder: Path) -> None:
    # Nothing is waited for here, so modifiedDate is in the same second.
    result = call("probe", "--yes", code=1)

    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "= Which errorCode does an unknown id get? 404 404" in lines
    assert "! Does an update of nothing change modifiedDate? touch leave" in lines
    assert "The contact of this probe stays on the account: its id is 1001" in result.stdout
    assert "Delete it there." in result.stdout
    assert len(sandbox.contacts) == 1
    assert len(sandbox.ledger.requests) <= 60


@pytest.mark.parametrize("guesses", [Guesses(empty_groups="keep")])
def test_promise_that_does_not_hold_is_named(sandbox: Sandbox, folder: Path) -> None:
    result = call("probe", "--yes", code=1)

    promises = result.stdout.split("These promises of the README do not hold on this account:\n")[1]
    assert promises.startswith("- an empty collection clears the field\n")


def test_report_holds_what_was_seen_and_nothing_of_the_account(
    sandbox: Sandbox, folder: Path
) -> None:
    call("probe", "--yes", "--report", "probe.json", code=1)

    text = (folder / "probe.json").read_text()
    report = json.loads(text)
    assert report["requests"] == len(sandbox.ledger.requests)
    assert {it["name"]: it["seen"] for it in report["findings"]}["codes"] == "number"
    assert report["broken_promises"] == []
    last_name = sandbox.contacts[1001]["lastName"]
    for private in (sandbox.key, sandbox.secret, sandbox.url, last_name, "example.com", "1001"):
        assert private not in text


def test_probe_that_finds_all_as_assumed_succeeds(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))
    start = sandbox.clock()
    sandbox.clock = lambda: start + next(clock) / 4

    assert "do not hold" not in call("probe", "--yes").stdout


def test_wrong_secret_ends_the_probe_before_anything_is_written(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTSDK_SECRET", "another-secret")

    result = call("probe", "--yes", code=3)

    assert "ended early: the platform refuses a ping (401/" in result.stderr
    assert "stays on the account" not in result.stdout
    assert sandbox.ledger.writes == []


def test_probe_that_takes_too_long_ends(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_command, "MOST_S", 0.0)

    assert "ended early: it took 0 s" in call("probe", "--yes", code=3).stderr


def test_probe_needs_yes_where_nobody_can_be_asked(sandbox: Sandbox) -> None:
    result = call("probe", code=2)

    assert "nobody can be asked: use --yes" in result.stderr
    assert sandbox.ledger.requests == []


@pytest.mark.parametrize(("is_yes", "code"), [(True, 1), (False, 3)])
def test_person_at_a_terminal_is_asked(
    is_yes: bool, code: int, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []

    def answer_is_yes(question: str) -> bool:
        questions.append(question)
        return is_yes

    monkeypatch.setattr(probe_command, "is_terminal", lambda: True)
    monkeypatch.setattr(probe_command, "answer_is_yes", answer_is_yes)

    call("probe", code=code)

    [question] = questions
    assert question.startswith("This adds one contact to the account at http://127.0.0.1")
    assert bool(sandbox.ledger.writes) == is_yes


def test_report_of_another_kind_is_refused(sandbox: Sandbox) -> None:
    assert "ends in .json" in call("probe", "--yes", "--report", "x.txt", code=2).stderr


def test_report_in_a_folder_that_is_not_there_is_refused_before_anything_is_sent(
    sandbox: Sandbox, folder: Path
) -> None:
    result = call("probe", "--yes", "--report", "no-folder/probe.json", code=2)

    assert "no-folder: there is no such folder; make it first" in result.stderr
    assert sandbox.ledger.requests == []


def test_wrong_address_is_one_clear_line(sandbox: Sandbox) -> None:
    result = call("probe", "--yes", "--url", "http://example.com", code=2)

    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("guesses", [Guesses(null_id="absent")])
def test_every_contact_that_the_probe_added_is_named(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_or_update = Contacts.add_or_update

    def add_always(contacts: Contacts, params: Mapping[str, Any]) -> Change:
        without = {name: value for name, value in params.items() if name != "updateIfExists"}
        return add_or_update(contacts, without)

    monkeypatch.setattr(Contacts, "add_or_update", add_always)

    result = call("probe", "--yes", code=1)

    assert list(sandbox.contacts) == [1001, 1002, 1003]
    assert "stay on the account: their ids are 1001, 1002 and 1003, their last" in result.stdout


def test_contact_that_a_later_add_may_have_made_is_named(sandbox: Sandbox, folder: Path) -> None:
    lost = Fault(FaultKind.CLOSE_AFTER_WRITE)
    sandbox.script(None, None, lost, action=ADD)  # an add, an update, an add

    result = call("probe", "--yes", code=3)

    assert "its id is 1001" in result.stdout
    assert "Another contact with the last name Probe-" in result.stdout


@pytest.mark.parametrize(
    ("fault", "is_left"), [(FaultKind.CLOSE_AFTER_WRITE, True), (FaultKind.UNAVAILABLE, False)]
)
def test_contact_whose_answer_was_lost_is_named(
    fault: FaultKind, is_left: bool, sandbox: Sandbox, folder: Path
) -> None:
    sandbox.script(*[Fault(fault)] * 3, action=ADD)

    result = call("probe", "--yes", code=3)

    assert ("may be on the account: look for it there" in result.stdout) == is_left
    assert bool(sandbox.contacts) == is_left
