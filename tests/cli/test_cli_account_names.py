"""Lists that name groups and custom fields, over the command line."""

import datetime
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactsdk.sandbox import Fault, FaultKind, FieldDefinition, FieldType, Sandbox
from tests.background import environment_of, sandbox_in_thread
from tests.cli.commanding import call, contact_requests

CASES = Path(__file__).parent.parent / "files" / "cases"
GROUPS = {10: "VIP", 11: "Press"}
FIELDS = {
    1: FieldDefinition(field_type=FieldType.WHOLE_NUMBER, display_name="Seats"),
    2: FieldDefinition(
        field_type=FieldType.MULTIPLE_SELECT, display_name="Colours", select_values=["red", "blue"]
    ),
    3: FieldDefinition(field_type=FieldType.DATE, display_name="Birthday"),
    4: FieldDefinition(field_type=FieldType.ADDRESS, display_name="Home"),
}
ASK_GROUPS = "contact?action=getSubscriptionGroupList"
ASK_FIELDS = "contact?action=getCustomFieldDefinition"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with sandbox_in_thread(groups=GROUPS, custom_fields=FIELDS) as running:
        yield running


def asked(sandbox: Sandbox) -> list[str]:
    return [
        request.action
        for request in sandbox.ledger.requests
        if request.action in (ASK_GROUPS, ASK_FIELDS)
    ]


def custom_fields(sandbox: Sandbox) -> list[object]:
    return [
        field["value"]
        for write in sandbox.ledger.writes
        for field in write.body.get("customFields", ())
    ]


def test_case_28_values_are_converted_by_the_types_of_the_account(
    sandbox: Sandbox, folder: Path
) -> None:
    call("import", str(CASES / "28-types.csv"), "--date-order", "dmy", "--concurrency", "1")

    assert custom_fields(sandbox) == [5, ["red", "blue"], "2024-12-31", "2024-12-31"]


def test_case_31_unknown_group_fails_before_sending_with_those_that_exist(
    sandbox: Sandbox, folder: Path
) -> None:
    result = call("import", str(CASES / "31-unknown-group.csv"), code=1)

    assert "must be a group of the account; its groups are: VIP (10), Press (11)" in result.output
    assert contact_requests(sandbox) == []


def test_names_in_headers_cells_and_options_are_taken(sandbox: Sandbox, folder: Path) -> None:
    Path("in.csv").write_text(
        "firstName,lastName,email,seats,Born,Home.city\nAda,Archer,ada@example.com,3,31/12/1990,Ulm\n"
    )

    call(
        *("import", "in.csv", "--date-order", "dmy"),
        *("--set", "groups=vip;Press", "--map", "Born=Birthday"),
    )

    [write] = sandbox.ledger.writes
    assert [group["groupId"] for group in write.body["groups"]] == [10, 11]
    assert custom_fields(sandbox) == [3, str(datetime.date(1990, 12, 31)), {"city": "Ulm"}]
    assert asked(sandbox) == [ASK_GROUPS, ASK_FIELDS]


def test_unknown_name_in_a_header_is_refused_with_those_that_exist(
    sandbox: Sandbox, folder: Path
) -> None:
    Path("in.csv").write_text("firstName,lastName,email,Seat\nAda,Archer,ada@example.com,3\n")

    result = call("import", "in.csv", code=2)

    assert "unknown column 'Seat'" in result.stderr
    assert "custom fields are: Seats, Colours, Birthday, Home" in result.stderr
    assert contact_requests(sandbox) == []


def test_list_without_groups_and_custom_fields_asks_nothing(sandbox: Sandbox, folder: Path) -> None:
    Path("in.csv").write_text("firstName,lastName,email\nAda,Archer,ada@example.com\n")

    call("import", "in.csv")

    assert asked(sandbox) == []


BY_IDS = "firstName,lastName,email,groups,customFields.1\nAda,Archer,ada@example.com,10,x\n"


@pytest.mark.parametrize("code", [401, 403])
def test_ids_go_on_working_where_the_key_may_not_ask(code: int, folder: Path) -> None:
    Path("in.csv").write_text(BY_IDS.replace(",x\n", ",\n"))
    with (
        sandbox_in_thread(denied={ASK_GROUPS: code, ASK_FIELDS: code}) as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in environment_of(sandbox).items():
            patch.setenv(name, value)

        result = call("import", "in.csv")

        assert len(sandbox.ledger.writes) == 1
    assert "the account's subscription groups cannot be asked for (" in result.stderr
    assert "): use ids instead of names; they are not checked" in result.stderr
    assert "the account's custom fields cannot be asked for (" in result.stderr


def test_account_that_lists_nothing_leaves_ids_to_the_platform(folder: Path) -> None:
    Path("in.csv").write_text(BY_IDS)
    with sandbox_in_thread() as sandbox, pytest.MonkeyPatch.context() as patch:
        for name, value in environment_of(sandbox).items():
            patch.setenv(name, value)

        call("import", "in.csv")

        assert custom_fields(sandbox) == ["x"]


def test_nothing_is_sent_where_the_platform_does_not_answer(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in.csv").write_text(BY_IDS)
    sandbox.script(*[Fault(FaultKind.UNAVAILABLE)] * 50, action=ASK_GROUPS)
    monkeypatch.setattr("contactsdk.cli.account_names.DEADLINE_S", 0.2)

    result = call("import", "in.csv", code=3)

    assert "the account's subscription groups cannot be asked for (" in result.stderr
    assert "; nothing was sent" in result.stderr
    assert contact_requests(sandbox) == []


def test_import_to_a_sandbox_that_has_gone_says_so(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in.csv").write_text(BY_IDS)
    monkeypatch.setattr("contactsdk.cli.account_names.DEADLINE_S", 0.1)
    with socket.socket() as taken:  # it does not listen, so nobody answers there
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        said = call("import", "in.csv", "--url", address, code=3).stderr
    assert said.startswith("contactsdk: never sent: ")
    assert "nothing listens at this address; is contactsdk sandbox running?" in said
    assert said.endswith("; nothing was sent\n")


def test_dry_run_goes_on_with_ids_where_the_platform_does_not_answer(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in.csv").write_text(BY_IDS)
    sandbox.script(*[Fault(FaultKind.UNAVAILABLE)] * 50, action=ASK_GROUPS)
    sandbox.script(*[Fault(FaultKind.UNAVAILABLE)] * 50, action=ASK_FIELDS)
    monkeypatch.setattr("contactsdk.cli.account_names.DEADLINE_S", 0.2)

    result = call("import", "in.csv", "--dry-run")

    assert "use ids instead of names; they are not checked" in result.stderr


def test_dry_run_without_credentials_works_on_ids_and_says_so(folder: Path) -> None:
    Path("in.csv").write_text(BY_IDS)

    result = call("import", "in.csv", "--dry-run")

    assert "custom fields are not known without its address, key and secret" in result.stderr
    assert "1 add" in result.stdout


def test_dry_run_with_credentials_checks_names(sandbox: Sandbox, folder: Path) -> None:
    Path("in.csv").write_text(BY_IDS)

    result = call("import", "in.csv", "--dry-run", code=1)

    assert "must be a whole number" in result.stdout


def test_journal_of_a_list_with_names_is_known_again(sandbox: Sandbox, folder: Path) -> None:
    Path("in.csv").write_text(
        "firstName,lastName,email,groups,Seats\nAda,Archer,ada@example.com,VIP,3\n"
    )
    call("import", "in.csv", "--journal", "run.sqlite")

    call("journal", "run.sqlite", "--input", "in.csv")
    call("settle", "run.sqlite", "--input", "in.csv")
    call("import", "in.csv", "--journal", "run.sqlite")

    assert len(sandbox.ledger.writes) == 1
