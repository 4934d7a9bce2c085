from pathlib import Path

import typer
from typer.testing import CliRunner

from contactsdk.cli import again
from contactsdk.cli.journal_place import Run
from contactsdk.cli.options import Encoding, InputFormat, Key, Map, UpdateIfExists


def commands(*arguments: str) -> list[str]:
    """The commands that follow one with these arguments."""
    app = typer.Typer()

    @app.command()
    def command(
        context: typer.Context,
        file: str,
        key: Key = "",
        format: InputFormat = None,
        encoding: Encoding = None,
        map_: Map = None,
        update_if_exists: UpdateIfExists = False,
        run: Run = None,
        journal: str | None = None,
    ) -> None:
        typer.echo(again.import_command(context, "bad.csv"))
        typer.echo(again.settle_command(context, "run.sqlite", file if file != "-" else None))
        typer.echo(again.merged_command(context, "run.sqlite", file))

    result = CliRunner().invoke(app, arguments, env={"CONTACTSDK_KEY": "of-the-environment"})
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_options_that_were_given_are_given_again() -> None:
    columns = "--map 'Full name=firstName lastName' --map Cell=phone --update-if-exists"
    assert commands(
        "my list.csv", "--map", "Full name=firstName lastName", "--map", "Cell=phone",
        "--update-if-exists", "--encoding", "cp1252", "--format", "csv", "--run", "may",
        "--key", "k",
    ) == [
        f"contactsdk import bad.csv --key k {columns}",
        "contactsdk settle run.sqlite --input 'my list.csv' --key k --format csv --encoding cp1252 "
        f"{columns} --run may",
        "contactsdk journal run.sqlite --input 'my list.csv' --merged FILE --key k --format csv "
        f"--encoding cp1252 {columns} --run may",
    ]  # fmt: skip


def test_options_that_were_not_given_are_left_out() -> None:
    assert commands("-")[:2] == [
        "contactsdk import bad.csv",
        "contactsdk settle run.sqlite --input FILE",
    ]


def test_rejects_of_a_run_with_a_journal_get_a_journal_of_their_own(folder: Path) -> None:
    assert commands("in.csv", "--journal", "run.sqlite")[0] == (
        "contactsdk import bad.csv --journal bad.sqlite --rejects bad2.csv"
    )
    (folder / "bad2.sqlite").touch()
    assert commands("in.csv", "--journal", "bad.sqlite")[0].endswith(
        " --journal bad3.sqlite --rejects bad2.csv"
    )
    database = "postgresql://ada:s3cret@db/lists"
    assert commands("in.csv", "--journal", database, "--run", "may")[0] == (
        "contactsdk import bad.csv --journal postgresql://ada:PASSWORD@db/lists --run may-bad "
        "--rejects bad2.csv"
    )


def test_password_of_a_database_is_not_shown() -> None:
    for url, shown in (
        ("postgresql://ada:s3cret@db:5432/lists", "postgresql://ada:PASSWORD@db:5432/lists"),
        ("--journal=postgres://ada:s3cret@db/lists", "--journal=postgres://ada:PASSWORD@db/lists"),
        ("postgresql://db/lists?password=s3cret", "'postgresql://db/lists?password=PASSWORD'"),
        ("postgresql://ada@db:5432/lists", "postgresql://ada@db:5432/lists"),
        ("contacts: ada@example.com.csv", "'contacts: ada@example.com.csv'"),
    ):
        assert again.command(["import", url]) == f"contactsdk import {shown}"
