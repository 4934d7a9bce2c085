"""The options that several commands have."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from contactsdk.files import Format

Url: TypeAlias = Annotated[
    str, typer.Option(envvar="CONTACTSDK_URL", help="The platform's address.", show_default=False)
]
Key: TypeAlias = Annotated[
    str, typer.Option(envvar="CONTACTSDK_KEY", help="The account's key.", show_default=False)
]
SecretFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="A file that holds the account's secret; else CONTACTSDK_SECRET is used."),
]
InputFormat: TypeAlias = Annotated[
    Format | None,
    typer.Option("--format", help="The input's format, where its name does not tell."),
]
IgnoreColumns: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="Columns to let pass, separated by commas; may be given repeatedly."),
]


def names_of(ignore_columns: list[str] | None) -> list[str]:
    """The names that `IgnoreColumns` holds."""
    names = ",".join(ignore_columns or ()).split(",")
    return [name.strip() for name in names if name.strip()]
