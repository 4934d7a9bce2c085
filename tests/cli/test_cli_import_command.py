import contextlib
import json
import os
import pty
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.background import environment_of, sandbox_in_thread
from tests.cli.commanding import (
    ADD,
    NAMES,
    ROOT,
    call,
    contact_requests,
    emails,
    sample,
    standard_input,
    started,
    states,
    wait_until,
)

PING = "test?action=ping"


@contextlib.contextmanager
def background(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def test_import_of_a_spreadsheets_file_succeeds(sandbox: Sandbox, folder: Path) -> None:
    text = (
        "\ufeffFirst_Name;lastName;email;groups;customFields.5;status;phone\r\n"
        'Ada;"Ar\ncher";ada@example.com;"10;11";No;no marketing;\r\n'
        "Ben;Baker;ben@example.test;;;;1\r\n"
    )
    (folder / "in.csv").write_bytes(text.encode())
    result = call("import", "in.csv", "--concurrency", "1", "--results", "out.csv")
    assert [dict(write.body) for write in sandbox.ledger.writes] == [
        {
            "firstName": "Ada",
            "lastName": "Ar\ncher",
            "email": "ada@example.com",
            "groups": [{"groupId": 10}, {"groupId": 11}],
            "customFields": [{"fieldId": 5, "value": "No"}],
            "status": 5,
        },
        {"firstName": "Ben", "lastName": "Baker", "email": "ben@example.test", "phone": "1"},
    ]
    assert (folder / "out.csv").read_text() == (
        "line,row,id,state,message,attempts\n2,2,1001,succeeded,,1\n4,3,1002,succeeded,,1\n"
    )
    assert re.match(r"2 read\n2 succeeded\n0 failed\n0 uncertain\nin ", result.stdout)


def test_import_says_what_became_of_each_row(sandbox: Sandbox, folder: Path) -> None:
    rows = ["A,A,a@example.com,10", "B,B,b@example", "C,C,c@example.com,12", "D,D,d@example.com"]
    (folder / "in.csv").write_text("\n".join([f"{NAMES},companies", *rows]))
    sandbox.script(None, None, Fault(FaultKind.CLOSE_AFTER_WRITE), action=ADD)
    files = ("--results", "r.jsonl", "--rejects", "bad.csv", "--uncertain", "unsure.csv")
    result = call("import", "in.csv", "--concurrency", "1", *files, code=1)
    told = [json.loads(line) for line in (folder / "r.jsonl").read_text().splitlines()]
    assert [(row["line"], row["id"], row["state"], row["attempts"]) for row in told] == [
        (2, 1001, "succeeded", 1),
        (3, None, "failed", 0),
        (4, None, "failed", 1),
        (5, None, "uncertain", 1),
    ]
    assert (folder / "bad.csv").read_text().splitlines() == [
        f"{NAMES},companies,contactsdk_message",
        f"B,B,b@example,,{told[1]['message']}",
        f"C,C,c@example.com,12,{told[2]['message']}",
    ]
    assert (folder / "unsure.csv").read_text().splitlines() == [
        f"{NAMES},companies,contactsdk_message",
        f'D,D,d@example.com,,"{told[3]["message"]}"',
    ]
    failed = f"  1 x {told[1]['message']} (row 3)\n  1 x {told[2]['message']} (row 4)\n"
    assert f"Failed:\n{failed}" in result.stdout
    assert f"Uncertain:\n  1 x {told[3]['message']} (row 5)\n" in result.stdout
    assert "look each of them up" in result.stdout


def test_corrected_rejects_can_be_imported(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(f"{NAMES}\nA,A,a@example\n")
    call("import", "in.csv", "--rejects", "bad.csv", code=1)
    corrected = (folder / "bad.csv").read_text().replace("a@example,", "a@example.com,")
    (folder / "bad.csv").write_text(corrected)
    call("import", "bad.csv")
    assert emails(sandbox) == ["a@example.com"]


def test_import_of_json_lines_succeeds(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.jsonl").write_text(
        '{"firstName": "A", "lastName": "A", "email": "a@example.com", "note": 1}\n'
    )
    call("import", "in.jsonl", "--ignore-columns", "other, Note")
    assert emails(sandbox) == ["a@example.com"]


@pytest.mark.parametrize("count", [1, 300])
def test_import_reads_standard_input(count: int, sandbox: Sandbox, folder: Path) -> None:
    with standard_input(sample(count)):
        call("import", "-", "--format", "csv", "--results", "out.csv")
    assert len(sandbox.ledger.writes) == count
    assert set(states("out.csv").values()) == {"succeeded"}


def test_broken_standard_input_is_found_before_anything_is_sent(
    sandbox: Sandbox, folder: Path
) -> None:
    with standard_input(sample(2) + 'C,"C,c@example.com'):
        result = call("import", "-", "--format", "csv", "--results", "out.csv", code=2)
    assert sandbox.ledger.requests == []
    assert not (folder / "out.csv").exists()
    assert result.stderr.startswith("contactsdk: standard input, row 4: ")


def test_results_on_standard_output_leave_the_summary_to_standard_error(
    sandbox: Sandbox, folder: Path
) -> None:
    (folder / "in.csv").write_text(sample(1))
    result = call("import", "in.csv", "--results", "-")
    assert result.stdout == "line,row,id,state,message,attempts\n2,2,1001,succeeded,,1\n"
    assert "\n1 read\n" in result.stderr


def test_quiet_import_prints_nothing(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(f"{NAMES}\nA,A,a@example\n")
    assert call("import", "in.csv", "--quiet", code=1).output == ""


def test_wrong_secret_stops_the_run(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTSDK_SECRET", "wrong-secret")
    (folder / "in.csv").write_text(sample(100))
    files = ("--results", "out.csv", "--rejects", "bad.csv", "--uncertain", "unsure.csv")
    result = call("import", "in.csv", "--concurrency", "2", *files, code=3)
    assert "Stopped: Invalid API key or signature" in result.stdout
    assert sandbox.ledger.writes == []
    assert sorted(states("out.csv")) == list(range(2, 102))
    assert set(states("out.csv").values()) == {"failed", "not_started"}
    assert len((folder / "bad.csv").read_text().splitlines()) == 101
    assert len((folder / "unsure.csv").read_text().splitlines()) == 1
    assert "wrong-secret" not in result.output


def test_quiet_import_still_says_what_stopped_it(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTSDK_SECRET", "wrong-secret")
    (folder / "in.csv").write_text(sample(2))
    result = call("import", "in.csv", "--quiet", code=3)
    assert result.output == (
        "contactsdk: stopped: Invalid API key or signature: check CONTACTSDK_KEY and "
        "CONTACTSDK_SECRET (or --key, --secret-file), and this machine's clock\n"
    )


def test_import_gives_up_on_a_platform_after_the_given_time(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(sample(2))
    sandbox.script(Fault(FaultKind.UNAVAILABLE, retry_after_s=60), action=ADD)
    result = call("import", "in.csv", "--concurrency", "1", "--give-up", "59", code=3)
    assert re.search("^Stopped: ", result.stdout, re.MULTILINE)
    assert len(contact_requests(sandbox)) == 1


def test_rest_of_standard_input_is_recorded_as_not_started(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTSDK_SECRET", "wrong-secret")
    with standard_input(sample(200)):
        result = call("import", "-", "--format", "csv", "--results", "out.csv", code=3)
    assert "Stopped: Invalid API key or signature" in result.stdout
    assert len(states("out.csv")) == 200


def test_dry_run_needs_no_credentials(folder: Path) -> None:
    (folder / "in.csv").write_text(sample(3))
    result = call("import", "in.csv", "--dry-run")
    assert "\n3 rows\n3 adds\n\n" in result.stdout


def test_quiet_dry_run_prints_nothing(folder: Path) -> None:
    (folder / "in.csv").write_text(sample(3))
    assert call("import", "in.csv", "--dry-run", "--quiet").output == ""


def test_dry_run_sends_nothing(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(f"{sample(1)}B,B,b@example\n")
    files = ("--results", "out.csv", "--rejects", "bad.csv")
    result = call("import", "in.csv", "--dry-run", *files, code=1)
    assert sandbox.ledger.requests == []
    assert states("out.csv") == {2: "not_started", 3: "failed"}
    [row] = (folder / "bad.csv").read_text().splitlines()[1:]
    assert row.startswith("B,B,b@example,email must be a valid email address: ")
    assert "Invalid:\n  1 x email must be" in result.stdout


def test_dry_run_without_results_only_counts(folder: Path) -> None:
    (folder / "in.csv").write_text(f"{sample(2)}B,B,b@example\n")
    assert "\n3 rows\n2 adds\n" in call("import", "in.csv", "--dry-run", code=1).stdout


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("fristName,email\nA,b@example.com\n", "unknown column 'fristName'"),
        (f'{sample(50)}A,"B,c@example.com\n', "row 52: "),
        ("", "nothing to import"),
    ],
)
def test_unreadable_file_is_found_before_anything_is_sent(
    text: str, what: str, sandbox: Sandbox, folder: Path
) -> None:
    (folder / "in.csv").write_text(text)
    result = call("import", "in.csv", "--rejects", "bad.csv", code=2)
    assert what in result.stderr
    assert result.stdout == ""
    assert contact_requests(sandbox) == []
    assert not (folder / "bad.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["import", "none.csv"], "none.csv: there is no such file"),
        (["import", "in.csv", "--map", "email=nothing"], "--map"),
        (["import", "in.csv", "--sheet", "Leads"], "--sheet"),
        (["import", "in.csv", "--rate", "0"], "--rate"),
        (["import", "in.csv", "--give-up", "0"], "--give-up"),
        (["import", "in.csv", "--concurrency", "0"], "--concurrency"),
        (["import", "in.csv", "--rejects", "in.csv"], "different files"),
        (["import", "in.csv", "--report", "run.pdf"], "ends in .html"),
        (["import", "in.csv", "--rejects", "bad.xls"], "ends in .xlsx, .csv or .jsonl"),
        (["import", "in.jsonl", "--rejects", "bad.csv"], "ends in .jsonl"),
        (
            ["import", "in.csv", "--results", "none/out.csv"],
            "none: there is no such folder",
        ),
        (["import", "in.csv", "--url", "http://example.com"], "plain http"),
        (["import", "in.csv", "--key", "a b"], "key"),
        (["import", "in.csv", "--secret-file", "none"], "none: No such file"),
        (["import", "in.csv", "--secret-file", "odd"], "odd: the secret is not UTF-8 text"),
        (["ping", "--url", "here"], "CONTACTSDK_URL (or --url) must "),
    ],
)
def test_wrong_use_is_an_error(
    arguments: list[str], what: str, sandbox: Sandbox, folder: Path
) -> None:
    (folder / "in.csv").write_text(sample(1))
    (folder / "in.jsonl").write_text('{"id": 7, "phone": "1"}\n')
    (folder / "odd").write_bytes(b"\xff")
    result = call(*arguments, code=2)
    assert what in result.stderr
    assert result.stdout == ""
    assert contact_requests(sandbox) == []
    assert sandbox.secret not in result.output


def test_missing_settings_are_named(folder: Path) -> None:
    (folder / "in.csv").write_text(sample(1))
    for arguments in (["import", "in.csv"], ["ping"]):
        stderr = call(*arguments, code=2).stderr
        assert all(f"CONTACTSDK_{name}" in stderr for name in ("URL", "KEY", "SECRET"))


def test_more_in_flight_than_usual_connections_is_fine(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(sample(300))
    call("import", "in.csv", "--concurrency", "200")
    assert len(sandbox.ledger.writes) == 300


def test_full_disk_stops_the_run(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(sample(5))
    result = call("import", "in.csv", "--results", "/dev/full", code=3)
    assert result.stderr.endswith("contactsdk: stopped: No space left on device\n")


def test_output_that_fails_during_a_run_leaves_no_applied_contact_unreported(
    sandbox: Sandbox, folder: Path
) -> None:
    sandbox.latency_s = 0.02
    (folder / "in.csv").write_text(sample(100))
    os.mkfifo(folder / "out")

    def read_the_header() -> None:
        with open(folder / "out") as pipe:
            assert pipe.readline().startswith("line,row")

    with background(read_the_header):
        arguments = ("--concurrency", "1", "--results", "out", "--merged", "all.csv")
        result = call("import", "in.csv", *arguments, code=3)
    applied = len(sandbox.ledger.writes)
    assert applied < 100
    assert re.search(rf"^ *{applied} succeeded$", result.stdout, re.MULTILINE)
    ended = re.search(r"out ends before row (\d+), .*: the program that read", result.stderr)
    assert ended is not None
    first, last = int(ended[1]), applied + 1
    shown = f"{first}-{last}" if first < last else f"{first}"
    assert f"rows that were applied since then: {shown}\n" in result.stderr
    merged = (folder / "all.csv").read_text()
    assert (merged.count(",succeeded,"), merged.count(",not_started,")) == (applied, 100 - applied)


def test_output_that_nobody_reads_stops_the_run(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(sample(2000))
    with started("import", "in.csv", "--results", "-") as process:
        process.stdout.close()
        said = process.stderr.read()
        assert "the program that read the output has ended\n" in said
        assert process.wait() == 3


class TestTerminal:
    """What a person sees who runs the command in a terminal."""

    @pytest.fixture
    def terminal(self, folder: Path) -> Any:
        (folder / "in.csv").write_text(sample(20))

        def run(*arguments: str, answer: str = "") -> Any:
            ours, its = pty.openpty()
            process = subprocess.Popen(
                [sys.executable, "-m", "contactsdk", "import", "in.csv", *arguments],
                env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
                stdin=its,
                stdout=subprocess.PIPE,
                stderr=its,
            )
            os.close(its)
            os.write(ours, answer.encode())
            shown = b""
            with contextlib.suppress(OSError):  # EIO, once nobody has the other end
                while part := os.read(ours, 4096):
                    shown += part
            os.close(ours)
            with process:
                assert process.stdout
                out = process.stdout.read().decode()
            return process.returncode, out, shown.decode()

        return run

    def test_import_is_shown_and_asked_about(self, terminal: Any, sandbox: Sandbox) -> None:
        code, out, shown = terminal("--results", "-", answer="y\n")
        assert code == 0
        assert out.startswith("line,row,")
        assert "20 adds" in shown
        assert f"Send 20 contacts to {sandbox.url} (this machine)? [y/N] " in shown
        assert "20/20" in shown
        assert "20 succeeded" in shown
        assert len(sandbox.ledger.writes) == 20

    def test_continued_import_asks_only_about_the_other_rows(
        self, terminal: Any, sandbox: Sandbox
    ) -> None:
        Path("in.csv").write_text(sample(4))
        call("import", "in.csv", "--journal", "run.sqlite")
        Path("in.csv").write_text(sample(6))
        code, _, shown = terminal("--journal", "run.sqlite", answer="y\n")
        assert code == 0
        assert "run.sqlite has 4 of the rows: they are not sent again" in shown
        assert "Send the other 2 contacts to http" in shown
        assert len(sandbox.ledger.writes) == 6

    def test_import_that_was_all_sent_is_not_asked_about(
        self, terminal: Any, sandbox: Sandbox
    ) -> None:
        call("import", "in.csv", "--journal", "run.sqlite")
        code, _, shown = terminal("--journal", "run.sqlite", "--results", "out.csv", answer="")
        assert code == 0
        assert "All rows are in run.sqlite: nothing to send." in shown
        assert "[y/N]" not in shown
        assert "Wrote out.csv: 20 rows." in shown

    def test_file_that_is_replaced_is_announced_even_if_nothing_is_sent(
        self, terminal: Any, sandbox: Sandbox, folder: Path
    ) -> None:
        call("import", "in.csv", "--journal", "run.sqlite")
        Path("bad.csv").write_text("corrected by hand")
        _, _, shown = terminal("--journal", "run.sqlite", "--rejects", "bad.csv")
        assert "Note: bad.csv exists already and will be replaced" in shown
        assert "the old file is now bad.bak.csv" in shown

    @pytest.mark.parametrize("answer", ["n\n", "\x04"])
    def test_nothing_is_sent_without_a_yes(
        self, answer: str, terminal: Any, sandbox: Sandbox, folder: Path
    ) -> None:
        code, out, shown = terminal("--results", "out.csv", answer=answer)
        assert code == 3
        assert out == ""
        assert "contactsdk: nothing was sent" in shown
        assert not (folder / "out.csv").exists()
        assert sandbox.ledger.requests == []

    def test_yes_is_not_asked_for_where_it_is_given(self, terminal: Any, sandbox: Sandbox) -> None:
        code, _, shown = terminal("--yes")
        assert code == 0
        assert "20 adds" in shown
        assert "[y/N]" not in shown

    def test_quiet_import_still_asks(self, terminal: Any, sandbox: Sandbox) -> None:
        code, out, shown = terminal("--quiet", answer="y\n")
        assert (code, out) == (0, "")
        assert "[y/N]" in shown

    def test_quiet_import_that_is_not_to_ask_prints_nothing(
        self, terminal: Any, sandbox: Sandbox
    ) -> None:
        assert terminal("--quiet", "--yes") == (0, "", "")

    def test_nothing_is_asked_where_nothing_can_be_sent(
        self, terminal: Any, sandbox: Sandbox, folder: Path
    ) -> None:
        (folder / "in.csv").write_text(f"{NAMES}\nA,A,a@example\n")
        code, out, shown = terminal()
        assert code == 1
        assert "[y/N]" not in shown
        assert "1 failed" in out


def test_without_a_terminal_what_may_be_meant_otherwise_is_said_on_standard_error(
    sandbox: Sandbox, folder: Path
) -> None:
    (folder / "in.csv").write_text(f"{sample(1)}Ada,Archer,ada0@example.com\n")
    result = call("import", "in.csv")
    assert "each time you run this, 2 contacts are added again" in result.stderr
    assert "--update-if-exists" in result.stderr
    assert "2 rows have the same name and email" in result.stderr
    assert len(sandbox.ledger.writes) == 2


@pytest.mark.parametrize("text", [NAMES, f"{NAMES}\n,,\n"])
def test_file_without_contacts_says_that_there_is_nothing_to_import(
    text: str, sandbox: Sandbox, folder: Path
) -> None:
    (folder / "in.csv").write_text(text)
    assert "nothing to import" in call("import", "in.csv", code=2).stderr


def test_results_are_in_the_order_of_the_input(sandbox: Sandbox, folder: Path) -> None:
    sandbox.script(Fault(FaultKind.UNAVAILABLE), *[None] * 99, action=ADD)
    (folder / "in.csv").write_text(sample(100))
    call("import", "in.csv", "--results", "out.csv", "--concurrency", "8")
    assert list(states("out.csv")) == list(range(2, 102))


def test_file_that_changes_while_it_is_sent_changes_nothing(sandbox: Sandbox, folder: Path) -> None:
    sandbox.latency_s = 0.2
    (folder / "in.csv").write_text(sample(4))
    with started("import", "in.csv", "--concurrency", "1", "--rejects", "bad.csv") as process:
        wait_until(lambda: sandbox.ledger.writes)
        (folder / "in.csv").write_text("id\n7\n")
        assert process.wait() == 0
    assert emails(sandbox) == [f"ada{n}@example.com" for n in range(4)]


def test_merged_file_brings_the_ids_back_to_the_rows(sandbox: Sandbox, folder: Path) -> None:
    rows = ["A,A,a@example.com,x", "B,B,b@example,", "C,C,c@example.com"]
    (folder / "in.csv").write_text("\n".join([f"{NAMES},note", *rows]))
    arguments = ("--ignore-columns", "note", "--concurrency", "1", "--merged", "all.csv")
    call("import", "in.csv", *arguments, code=1)
    message = "email must be a valid email address: it has no period after its @: "
    message += "the end of its domain is missing"
    assert (folder / "all.csv").read_text().splitlines() == [
        f"{NAMES},note,contactsdk_id,contactsdk_state,contactsdk_message",
        "A,A,a@example.com,x,1001,succeeded,",
        f"B,B,b@example,,,failed,{message}",
        "C,C,c@example.com,,1002,succeeded,",
    ]


def test_rejects_of_csv_as_json_lines_can_be_imported(sandbox: Sandbox, folder: Path) -> None:
    head = f"{NAMES},groups,customFields.5,externalUrls.crm,status,note,"
    row = "A,A,a@example,10;11,No,https://crm.example.com/7,no marketing,x,"
    (folder / "in.csv").write_text(f"{head}\n{row}\n")
    ignored = ("--ignore-columns", "note")
    call("import", "in.csv", "--rejects", "bad.jsonl", *ignored, code=1)
    corrected = (folder / "bad.jsonl").read_text().replace("a@example", "a@example.com")
    (folder / "bad.jsonl").write_text(corrected)
    call("import", "bad.jsonl", *ignored)
    assert [dict(write.body) for write in sandbox.ledger.writes] == [
        {
            "firstName": "A",
            "lastName": "A",
            "email": "a@example.com",
            "groups": [{"groupId": 10}, {"groupId": 11}],
            "customFields": [{"fieldId": 5, "value": "No"}],
            "externalUrls": [{"ref": "crm", "url": "https://crm.example.com/7"}],
            "status": 5,
        }
    ]


def test_corrected_rejects_survive_further_runs(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(f"{NAMES}\nA,A,a@example\n")
    arguments = ("import", "in.csv", "--journal", "run.sqlite", "--rejects", "bad.csv")
    call(*arguments, code=1)
    for text in ("corrected", "corrected again"):
        (folder / "bad.csv").write_text(text)
        call(*arguments, code=1)
        call(*arguments, code=1)
    assert (folder / "bad.bak.csv").read_text() == "corrected"
    assert (folder / "bad.bak2.csv").read_text() == "corrected again"
    assert not (folder / "bad.bak3.csv").exists()


def test_command_for_the_rejects_is_printed_once_and_can_be_repeated(
    sandbox: Sandbox, folder: Path
) -> None:
    (folder / "in.csv").write_text(f"{NAMES}\nA,A,a@example\n")
    arguments = ("import", "in.csv", "--journal", "run.sqlite", "--rejects", "bad.csv")
    line = call(*arguments, code=1).stderr.splitlines()[-1]
    corrected = (folder / "bad.csv").read_text().replace("a@example,", "a@example.com,")
    (folder / "bad.csv").write_text(corrected)
    _, _, command = line.partition("When the rejects are corrected, import them: contactsdk ")
    for _ in range(2):
        call(*shlex.split(command))
    assert emails(sandbox) == ["a@example.com"]
    assert "import them" not in call(*arguments, code=1).stderr


def test_run_that_stops_without_a_journal_prints_a_command_that_adds_nothing_twice(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "in.csv").write_text(sample(3))
    sandbox.script(None, Fault(FaultKind.REDIRECT), action=ADD)
    arguments = ["import", "in.csv", "--concurrency", "1"]
    monkeypatch.setattr(sys, "argv", ["contactsdk", *arguments])
    said = call(*arguments, code=3).stderr
    assert "1 contact was added or updated; the same command would add contacts again." in said
    command = said.partition("To send the rest without that: contactsdk ")[2].splitlines()[0]
    call(*shlex.split(command))
    assert len({write.contact_id for write in sandbox.ledger.writes}) == 3


def test_report_is_written(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(f"{sample(3)}B,B,b@example\n")
    call("import", "in.csv", "--report", "run.html", code=1)
    page = (folder / "run.html").read_text()
    assert "Import of in.csv" in page
    assert f"To {sandbox.url} (this machine)." in page
    assert "row 5" in page
    assert "example.com" not in page


def test_report_that_cannot_be_written_is_found_before_anything_is_sent(
    sandbox: Sandbox, folder: Path
) -> None:
    (folder / "in.csv").write_text(sample(3))
    result = call("import", "in.csv", "--report", "none/run.html", code=2)
    assert "none: there is no such folder; make it first" in result.stderr
    assert contact_requests(sandbox) == []


def test_report_that_fails_after_the_run_is_not_a_wrong_use(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(sample(3))
    (folder / "run.html").symlink_to("/dev/full")
    result = call("import", "in.csv", "--report", "run.html", code=3)
    assert "3 succeeded\n" in result.stdout
    assert "run.html may not be complete: No space left on device" in result.stderr
    assert len(sandbox.ledger.writes) == 3


def test_outputs_get_their_names_when_the_command_has_ended(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(sample(3))
    (folder / "out.csv").write_text("of an earlier run")
    sandbox.script(None, Fault(FaultKind.HANG_AFTER_WRITE), action=ADD)
    with started("import", "in.csv", "--concurrency", "1", "--results", "out.csv") as process:
        wait_until(lambda: len(sandbox.ledger.writes) == 2)
        assert (folder / "out.csv").read_text() == "of an earlier run"
        assert (folder / "out.partial.csv").exists()
        process.kill()
    assert (folder / "out.csv").read_text() == "of an earlier run"
    assert (folder / "out.partial.csv").exists()


def test_batch_size_sends_many_rows_in_one_request(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(sample(12))
    call("import", "in.csv", "--batch-size", "5", "--results", "out.csv")
    runs = [r for r in sandbox.ledger.requests if r.action == "batch?action=run"]
    assert sorted(len(batch.jobs) for batch in sandbox.batches.values()) == [1, 1, 5, 5]
    assert len(runs) == 4
    assert set(states("out.csv").values()) == {"succeeded"}


@pytest.mark.parametrize("size", ["0", "201"])
def test_batch_size_is_from_1_to_200(folder: Path, size: str) -> None:
    (folder / "in.csv").write_text(sample(1))
    call("import", "in.csv", "--batch-size", size, code=2)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (["--journal", "run.sqlite"], "contactsdk settle run.sqlite --input in.csv --uncertain"),
        ([], "Next time, use --uncertain FILE to write such rows, or --journal FILE"),
        (["--uncertain", "left.csv"], "\nNext time, use --journal FILE: then contactsdk settle"),
    ],
)
def test_uncertain_rows_come_with_the_way_to_look_them_up(
    options: list[str], advice: str, sandbox: Sandbox, folder: Path
) -> None:
    (folder / "in.csv").write_text(sample(2))
    sandbox.script(None, Fault(FaultKind.CLOSE_AFTER_WRITE), action=ADD)
    assert advice in call("import", "in.csv", *options, code=1).stdout


def test_new_journal_is_no_silent_way_to_add_a_list_again(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(sample(2))
    new = (
        "Note: run.sqlite is a new journal, which knows of no earlier import: 2 contacts are added"
    )
    arguments = ("import", "in.csv", "--journal", "run.sqlite")
    assert new in call(*arguments, "--dry-run").stdout
    assert new in call(*arguments).stderr
    assert "new journal" not in call(*arguments, "--dry-run").stdout
    assert "new journal" not in call(*arguments).stderr


def test_files_that_were_written_are_named(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text("Vorname,lastName,email\nA,A,a@example.com\nB,B,b@example\n")
    options = ("--map", "Vorname=firstName")
    files = ("--rejects", "bad.csv", "--report", "run.html")
    said = call("import", "in.csv", *options, *files, code=1).stderr
    assert said.endswith(
        "Wrote bad.csv: 1 row.\nWrote run.html.\nWhen the rejects are corrected, import them: "
        "contactsdk import bad.csv --map Vorname=firstName\n"
    )


def test_files_that_were_not_written_are_not_named(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(sample(1))
    sandbox.script(Fault(FaultKind.REDIRECT))
    result = call("import", "in.csv", "--rejects", "bad.csv", code=3)
    assert not (folder / "bad.csv").exists()
    assert "Wrote" not in result.output


def test_unknown_header_is_answered_with_a_command_that_takes_what_is_guessed(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "in.csv").write_text(
        "Anrede,Vorname,Nachname,E-Mail-Adresse\nFrau,Ada,Abt,ada@example.com\n"
    )
    monkeypatch.setattr(sys, "argv", ["contactsdk", "import", "in.csv"])
    lines = call("import", "in.csv", code=2).stderr.splitlines()
    assert lines[:2] == ["contactsdk: in.csv, row 1:", "  unknown column 'Anrede'"]
    _, _, command = lines[-1].partition("To go on with these guesses: contactsdk ")
    call(*shlex.split(command))
    assert emails(sandbox) == ["ada@example.com"]


def test_dry_run_ends_with_where_it_would_go_and_the_command(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "in.csv").write_text(sample(1))
    (folder / "out.csv").write_text("of an earlier run")
    arguments = ("import", "in.csv", "--dry-run", "--results", "out.csv")
    monkeypatch.setattr(sys, "argv", ["contactsdk", *arguments])
    lines = call(*arguments).stdout.splitlines()
    assert lines[-3:] == [
        f"This was a dry run: nothing was sent. It would go to {sandbox.url} (this machine).",
        "Note: out.csv exists already and will be replaced; if the new file differs, the old one "
        "is kept as out.bak.csv.",
        "To import it: contactsdk import in.csv --results out.csv",
    ]
    assert (folder / "out.bak.csv").read_text() == "of an earlier run"


def test_wrong_key_asks_for_no_correction_of_the_rows(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(sample(3))
    result = call("import", "in.csv", "--key", "another", "--rejects", "bad.csv", code=3)
    assert "check CONTACTSDK_KEY" in result.stdout
    assert result.stderr.endswith(
        "Wrote bad.csv: 3 rows.\n"
        "Nothing was applied. When the problem is solved, run the same command again.\n"
    )


def test_what_was_wrong_in_cells_of_a_choice_is_shown_in_a_dry_run(
    sandbox: Sandbox, folder: Path
) -> None:
    (folder / "in.csv").write_text(f"{NAMES},status\nA,A,a@example.com,aktiv\n")
    result = call("import", "in.csv", "--dry-run", code=1)
    assert "written there: 'aktiv' (1 x)" in result.stdout


def test_rejects_in_a_workbook_can_be_imported(sandbox: Sandbox, folder: Path) -> None:
    (folder / "in.csv").write_text(f"{NAMES},phone\nA,A,a@example,0412345678\n")
    call("import", "in.csv", "--rejects", "bad.xlsx", code=1)
    book = openpyxl.load_workbook("bad.xlsx")
    book.worksheets[0]["C2"] = "a@example.com"
    book.save("bad.xlsx")
    book.close()
    call("import", "bad.xlsx")
    assert [write.body["phone"] for write in sandbox.ledger.writes] == ["0412345678"]


def test_paragraphs_of_the_help_fill_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line.strip() for line in call("import", "--help").stdout.splitlines()]
    assert "then shows what it is going to send, and asks you." in lines


def test_wrong_address_is_found_by_a_ping_and_no_contact_is_sent(
    sandbox: Sandbox, folder: Path
) -> None:
    (folder / "in.csv").write_text(sample(3))
    sandbox.script(Fault(FaultKind.REDIRECT), action=PING)

    result = call("import", "in.csv", code=3)

    assert "Stopped: HTTP 302 redirects to /moved" in result.stdout
    assert "3 not started" in result.stdout
    assert contact_requests(sandbox) == []


def test_sandbox_that_was_not_started_is_not_waited_for(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "in.csv").write_text(sample(3))
    monkeypatch.setattr("contactsdk.cli.run.PING_S", 0.1)
    with socket.socket() as taken:  # it does not listen, so nobody answers there
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        result = call("import", "in.csv", "--url", address, code=3)
    assert "nothing listens at this address; is contactsdk sandbox running?" in result.stdout
    assert "3 not started" in result.stdout


def test_platform_without_a_ping_does_not_stop_an_import(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "in.csv").write_text(sample(1))
    with sandbox_in_thread(denied={PING: 404}) as without_ping:
        for name, value in environment_of(without_ping).items():
            monkeypatch.setenv(name, value)

        call("import", "in.csv")

    assert len(without_ping.ledger.writes) == 1
