import asyncio
import contextlib
import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contactsdk import Contact, ContactClient, SqliteJournal
from contactsdk.cli.run import Ending
from contactsdk.files import Result, State
from contactsdk.journal import Account
from contactsdk.sandbox import Fault, FaultKind, Sandbox
from tests.cli.commanding import (
    ADD,
    NAMES,
    call,
    contact_requests,
    emails,
    sample,
    standard_input,
    started,
    states,
    wait_until,
)

ACCOUNT = Account(url="u", key="k", secret="s")


def record_in_flight(*contacts: Contact) -> None:
    """Make a journal of a run that ended while these were in flight."""

    async def run() -> None:
        journal = await SqliteJournal("run.sqlite").open_run(ACCOUNT)
        writer = asyncio.create_task(journal.write_loop())
        intents = (journal.record_intent(*numbered) for numbered in enumerate(contacts))
        await asyncio.gather(*intents)
        writer.cancel()
        await journal.close()

    asyncio.run(run())


@contextlib.contextmanager
def in_use(path: str) -> Iterator[None]:
    """A journal that another run is using."""
    with asyncio.Runner() as runner:
        journal = runner.run(SqliteJournal(path).open_run(ACCOUNT))
        try:
            yield
        finally:
            runner.run(journal.close())


class TestJournal:
    @pytest.mark.parametrize("option", ["--results", "--rejects", "--uncertain"])
    @pytest.mark.parametrize("name", ["run.sqlite", "./run.sqlite-wal", "link"])
    def test_output_that_is_the_journal_is_refused_before_anything_is_opened(
        self, option: str, name: str, sandbox: Sandbox, folder: Path
    ) -> None:
        (folder / "in.csv").write_text(sample(2))
        call("import", "in.csv", "--journal", "run.sqlite")
        (folder / "link").symlink_to("run.sqlite")
        recorded = (folder / "run.sqlite").read_bytes()

        for command in (
            ("import", "in.csv", "--journal", "run.sqlite"),
            ("import", "in.csv", "--journal", "run.sqlite", "--dry-run"),
            ("journal", "run.sqlite", "--input", "in.csv"),
        ):
            refused = call(*command, option, name, code=2)
            assert f"{option} and --journal must be different files" in refused.stderr

        assert (folder / "run.sqlite").read_bytes() == recorded
        assert len(sandbox.ledger.writes) == 2

    def test_same_command_again_hands_back_what_is_final(
        self, sandbox: Sandbox, folder: Path
    ) -> None:
        rows = [f"Ada,Archer,a{n}@example.com,10" for n in range(5)]
        wrong = ["Ada,,b@example.com,10", "Ada,Archer,c@example.com,99"]
        (folder / "in.csv").write_text("\n".join([f"{NAMES},groups", *rows, *wrong, ""]))
        sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE), action=ADD)
        arguments = ("import", "in.csv", "--journal", "run.sqlite", "--results", "out.csv")

        call(*arguments, "--concurrency", "1", code=1)
        first, requests = states("out.csv"), len(contact_requests(sandbox))
        call(*arguments, code=1)

        assert Counter(first.values()) == {"succeeded": 4, "uncertain": 1, "failed": 2}
        assert states("out.csv") == first
        assert len(contact_requests(sandbox)) == requests

    def test_appended_rows_are_sent_and_changed_ones_are_named(
        self, sandbox: Sandbox, folder: Path
    ) -> None:
        (folder / "in.csv").write_text(sample(3))
        call("import", "in.csv", "--journal", "run.sqlite")
        (folder / "in.csv").write_text(sample(5))
        call("import", "in.csv", "--journal", "run.sqlite")
        assert emails(sandbox) == [f"ada{n}@example.com" for n in range(5)]

        (folder / "in.csv").write_text(sample(5).replace("ada3@", "eda3@"))
        changed = call("import", "in.csv", "--journal", "run.sqlite", code=2)
        (folder / "in.csv").write_text(sample(4))
        shorter = call("import", "in.csv", "--journal", "run.sqlite", code=2)

        assert "in.csv, row 5: from here on, this is not the input" in changed.stderr
        assert "in.csv, row 6: from here on, this is not the input" in shorter.stderr
        assert "Import corrected rows from a file of their own" in changed.stderr
        assert len(sandbox.ledger.writes) == 5

    def test_run_that_goes_on_says_how_many_rows_came_from_the_journal(
        self, sandbox: Sandbox, folder: Path
    ) -> None:
        (folder / "in.csv").write_text(sample(3))
        call("import", "in.csv", "--journal", "run.sqlite")
        (folder / "in.csv").write_text(sample(5))
        result = call("import", "in.csv", "--journal", "run.sqlite")
        assert "5 read\n5 succeeded\n" in result.stdout
        assert "3 of them came from the journal and were not sent again" in result.stdout

    def test_second_run_with_a_journal_in_use_leaves_the_outputs_alone(
        self, sandbox: Sandbox, folder: Path
    ) -> None:
        sandbox.latency_s = 0.2
        (folder / "in.csv").write_text(sample(5))
        files = ("--journal", "run.sqlite", "--results", "out.csv")
        with started("import", "in.csv", "--concurrency", "1", *files) as process:
            wait_until(lambda: sandbox.ledger.writes)
            with standard_input(sample(5)):
                refused = call("import", "-", "--format", "csv", *files, code=2)
            assert process.wait() == 0
        assert "another run is using it" in refused.stderr
        assert len(states("out.csv")) == 5
        assert emails(sandbox) == [f"ada{n}@example.com" for n in range(5)]

    def test_journal_is_locked_before_an_output_is_opened(
        self, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def nothing_to_check(_client: Any, _journal: Any, _contacts: Any) -> None:
            pass

        monkeypatch.setattr(ContactClient, "check_journal", nothing_to_check)
        monkeypatch.setattr("contactsdk.cli.importing.read_recorded", lambda *_, **__: None)
        (folder / "in.csv").write_text(sample(2))
        with in_use("run.sqlite"):
            files = ("--journal", "run.sqlite", "--results", "out.csv")
            call("import", "in.csv", *files, code=2)
        assert list(folder.glob("out*")) == []

    def test_piped_input_that_changed_is_refused(self, sandbox: Sandbox, folder: Path) -> None:
        arguments = ("import", "-", "--format", "csv", "--journal", "run.sqlite")
        with standard_input(sample(3)):
            call(*arguments)
        with standard_input(sample(5).replace("ada1@", "eda1@")):
            refused = call(*arguments, code=2)

        assert "standard input, row 3: from here on" in refused.stderr
        assert len(contact_requests(sandbox)) == 3

    def test_uncertain_rows_are_sent_again_on_request(self, sandbox: Sandbox, folder: Path) -> None:
        (folder / "in.csv").write_text(sample(2))
        sandbox.script(Fault(FaultKind.CLOSE_BEFORE_READ), action=ADD)
        call("import", "in.csv", "--journal", "run.sqlite", "--concurrency", "1", code=1)

        call("import", "in.csv", "--journal", "run.sqlite", "--resend-uncertain")

        assert emails(sandbox) == ["ada0@example.com", "ada1@example.com"]

    def test_resending_needs_a_journal(self, sandbox: Sandbox, folder: Path) -> None:
        (folder / "in.csv").write_text(sample(1))

        assert "--journal" in call("import", "in.csv", "--resend-uncertain", code=2).stderr

    def test_journal_of_another_account_is_refused(
        self, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "in.csv").write_text(sample(1))
        call("import", "in.csv", "--journal", "run.sqlite")
        monkeypatch.setenv("CONTACTSDK_SECRET", "not-the-same")

        refused = call("import", "in.csv", "--journal", "run.sqlite", code=2)

        assert "another account" in refused.stderr

    def test_run_with_a_wrong_secret_goes_on_with_the_right_one(
        self, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "in.csv").write_text(sample(3).replace("ada1@example.com", "nobody"))
        with monkeypatch.context() as wrong:
            wrong.setenv("CONTACTSDK_SECRET", "wrong-secret")
            call("import", "in.csv", "--journal", "run.sqlite", "--concurrency", "1", code=3)

        call("import", "in.csv", "--journal", "run.sqlite", code=1)

        assert emails(sandbox) == ["ada0@example.com", "ada2@example.com"]

    def test_stopped_run_prints_how_to_go_on(
        self, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "in.csv").write_text(sample(2).replace("ada0@example.com", "nobody"))
        monkeypatch.setattr(sys, "argv", ["contactsdk", "import", "in.csv"])
        sandbox.script(Fault(FaultKind.REDIRECT), action=ADD)

        files = ("--journal", "run.sqlite", "--rejects", "bad.csv")
        stopped = call("import", "in.csv", *files, code=3)

        assert "To send what was not applied: contactsdk import in.csv\n" in stopped.stderr
        assert (
            "Run that command first, and correct the rejects afterwards: it writes bad.csv"
            in stopped.stderr
        )

    @pytest.mark.parametrize(("refused", "hints"), [(False, 1), (True, 0)])
    def test_run_that_ended_prints_how_to_send_what_it_could_not(
        self,
        refused: bool,
        hints: int,
        sandbox: Sandbox,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async def fail(
            _client: Any, items: Any, record: Any, *_arguments: Any, **_options: Any
        ) -> Any:
            for line, row, _ in items:
                record(Result(line=line, row=row, state=State.FAILED, refused=refused))
            return Ending()

        (folder / "in.csv").write_text(sample(1))
        monkeypatch.setattr("contactsdk.cli.importing.import_rows", fail)

        ended = call("import", "in.csv", "--journal", "run.sqlite", code=1)

        assert ended.stderr.count("To send what was not applied: ") == hints

    def test_rejects_and_going_on_add_no_row_twice(self, sandbox: Sandbox, folder: Path) -> None:
        (folder / "in.csv").write_text(sample(6).replace("ada1@example.com", "nobody"))
        sandbox.script(None, Fault(FaultKind.REDIRECT), action=ADD)
        files = ("--journal", "run.sqlite", "--results", "out.csv", "--rejects", "bad.csv")
        call("import", "in.csv", *files, "--concurrency", "1", code=3)
        told, rejects = states("out.csv"), (folder / "bad.csv").read_text()

        call("import", "in.csv", *files, code=1)
        (folder / "bad.csv").write_text(rejects.replace("nobody", "ada1@example.com"))
        call("import", "bad.csv")

        assert list(told.values()) == ["succeeded", "failed", "failed", *["not_started"] * 3]
        assert emails(sandbox) == [f"ada{n}@example.com" for n in range(6)]

    @pytest.fixture
    def recorded(self, sandbox: Sandbox, folder: Path) -> Any:
        """A journal with a row of each kind, of which two were never started."""
        (folder / "in.csv").write_text(sample(7).replace("ada2@example.com", "nobody"))
        lost, moved = Fault(FaultKind.CLOSE_AFTER_WRITE), Fault(FaultKind.REDIRECT)
        sandbox.script(None, lost, moved, action=ADD)
        call("import", "in.csv", "--journal", "run.sqlite", "--concurrency", "1", code=3)
        return "run.sqlite"

    def test_shows_counts_failures_and_uncertain_rows(self, recorded: str) -> None:
        shown = call("journal", recorded).stdout

        assert "1 succeeded" in shown
        assert "1 x email must be a valid email address" in shown
        assert "row 3: sent, but no answer came" in shown
        assert "per second" not in shown

    @pytest.mark.parametrize(("count", "last"), [(25, "row 25: "), (1226, "and 1,201 more; ")])
    def test_says_how_many_uncertain_rows_it_does_not_show(
        self, count: int, last: str, folder: Path
    ) -> None:
        record_in_flight(*(Contact(id=number + 1) for number in range(count)))

        shown = call("journal", "run.sqlite").stdout.splitlines()

        assert shown[-1].startswith(f"  {last}")
        assert sum(line.startswith("  row ") for line in shown) == 25

    def test_results_are_written_from_it_alone(self, recorded: str) -> None:
        call("journal", recorded, "--results", "out.csv")

        assert states("out.csv") == {2: "succeeded", 3: "uncertain", 4: "failed", 5: "failed"}

    def test_rejects_and_uncertain_rows_are_written_from_it_and_its_input(
        self, recorded: str
    ) -> None:
        files = ("--rejects", "bad.csv", "--uncertain", "unsure.csv")
        call("journal", recorded, "--input", "in.csv", *files)

        bad = Path("bad.csv").read_text().splitlines()
        assert [row.split(",")[2] for row in bad[1:]] == ["nobody"]
        assert "ada1@example.com" in Path("unsure.csv").read_text()

    def test_merged_file_holds_every_row_of_the_input(self, recorded: str) -> None:
        call("journal", recorded, "--input", "in.csv", "--merged", "all.csv")

        with open("all.csv", newline="") as file:
            found = [row["contactsdk_state"] for row in csv.DictReader(file)]
        assert found == ["succeeded", "uncertain", "failed", "failed", *["not_started"] * 3]

    def test_command_that_looks_uncertain_rows_up_is_named(self, recorded: str) -> None:
        command = f"contactsdk settle {recorded} --input"
        assert (
            f"This looks them up for you: {command} FILE (add the options"
            in call("journal", recorded).stdout
        )
        assert f"{command} in.csv\n" in call("journal", recorded, "--input", "in.csv").stdout

    def test_rejects_without_the_input_are_refused(self, recorded: str) -> None:
        assert (
            "give it as --input" in call("journal", recorded, "--rejects", "bad.csv", code=2).stderr
        )

    @pytest.mark.parametrize(
        "other",
        [
            lambda rows: rows[:1] + rows[:0:-1],
            lambda rows: rows[:3],
            lambda rows: [row.replace("nobody", "ada2@example.com") for row in rows],
        ],
        ids=["in another order", "shorter", "corrected"],
    )
    def test_another_input_is_refused_and_nothing_is_written(
        self, recorded: str, other: Any
    ) -> None:
        rows = Path("in.csv").read_text().splitlines(keepends=True)
        Path("other.csv").write_text("".join(other(rows)))

        files = ("--input", "other.csv", "--rejects", "bad.csv")
        refused = call("journal", recorded, *files, code=2)

        assert "from here on, this is not the input that run.sqlite recorded" in refused.stderr
        assert not Path("bad.csv").exists()

    def test_input_is_checked_with_the_secret_and_nothing_is_lost_by_a_wrong_one(
        self, recorded: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = ("--input", "in.csv", "--rejects", "bad.csv")
        monkeypatch.setenv("CONTACTSDK_SECRET", "wrong-secret")
        call("journal", recorded, *files, code=2)
        monkeypatch.delenv("CONTACTSDK_SECRET")
        missing = call("journal", recorded, *files, code=2)

        assert "missing: CONTACTSDK_SECRET (or --secret-file)" in missing.stderr
        assert len(list(SqliteJournal(recorded).rows())) == 4

    def test_input_with_other_lines_is_refused(self, recorded: str) -> None:
        Path("in.csv").write_text("\n" + Path("in.csv").read_text())

        refused = call("journal", recorded, "--input", "in.csv", "--rejects", "bad.csv", code=2)

        assert "in.csv, row 3: this is not the input that the journal recorded" in refused.stderr

    def test_what_was_in_flight_is_shown_as_uncertain(self, folder: Path) -> None:
        contact = Contact(first_name="Ada", last_name="Archer", email="ada@example.com")
        record_in_flight(contact)

        assert "row 1: in flight when the run ended" in call("journal", "run.sqlite").stdout

    def test_file_that_is_not_a_journal_is_refused(self, folder: Path) -> None:
        Path("in.csv").write_text(sample(1))
        assert "not a journal of contactsdk" in call("journal", "in.csv", code=2).stderr

    def test_file_that_is_not_there_is_named(self, folder: Path) -> None:
        refused = call("journal", "none.sqlite", code=2)

        assert refused.stderr == "contactsdk: none.sqlite: there is no such file\n"
