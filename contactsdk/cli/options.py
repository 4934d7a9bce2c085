"""The options that several commands have."""

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from contactsdk.field_values import DateOrder
from contactsdk.files import Format

ACCOUNT: Final = "Account"
READING: Final = "How the file is read"
WRITING: Final = "Files that are written"

Url: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="CONTACTSDK_URL",
        help="The platform's address.",
        show_default=False,
        rich_help_panel=ACCOUNT,
    ),
]
Key: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="CONTACTSDK_KEY",
        help="The account's key.",
        show_default=False,
        rich_help_panel=ACCOUNT,
    ),
]
SecretFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="A file that holds the account's secret; else CONTACTSDK_SECRET is used.",
        rich_help_panel=ACCOUNT,
    ),
]
InputFormat: TypeAlias = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="The input's format, where its name does not tell.",
        rich_help_panel=READING,
    ),
]
IgnoreColumns: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Columns to leave out, separated by commas; may be given repeatedly.",
        rich_help_panel=READING,
    ),
]
IgnoreUnknown: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--ignore-unknown", help="Leave out all columns that are unknown.", rich_help_panel=READING
    ),
]
Map: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help='What a column holds, such as "E-mail 1 - Value=email" or "Full name=firstName '
        'lastName"; may be given repeatedly.',
        rich_help_panel=READING,
    ),
]
MapFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help='A TOML file of such lines: "E-mail 1 - Value" = "email".', rich_help_panel=READING
    ),
]
Set: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help='A value for each row that has none, such as "groups=10;11"; may be given repeatedly.',
        rich_help_panel=READING,
    ),
]
UpdateIfExists: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--update-if-exists",
        help="Update the contact that has the same first and last name and email, instead of "
        "adding another.",
        rich_help_panel=READING,
    ),
]
Sheet: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="The sheet of a workbook; else the first that has rows.", rich_help_panel=READING
    ),
]
HeaderRow: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="The number of the row that names the columns; else the first that is filled.",
        show_default=False,
        rich_help_panel=READING,
    ),
]
Encoding: TypeAlias = Annotated[
    str | None,
    typer.Option(help="The encoding of the text; else it is recognised.", rich_help_panel=READING),
]
DateOrderOption: TypeAlias = Annotated[
    DateOrder | None,
    typer.Option(
        "--date-order",
        help="In which order dates name day, month and year.",
        rich_help_panel=READING,
    ),
]
