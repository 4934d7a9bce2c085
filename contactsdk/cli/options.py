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
        help="A file that holds the account's secret; without it, CONTACTSDK_SECRET is used.",
        rich_help_panel=ACCOUNT,
    ),
]
InputFormat: TypeAlias = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="The format of the input, if its name does not show it.",
        rich_help_panel=READING,
    ),
]
IgnoreColumns: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="Columns to leave out, separated by commas; can be repeated.",
        rich_help_panel=READING,
    ),
]
IgnoreUnknown: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--ignore-unknown", help="Leave out all unknown columns.", rich_help_panel=READING
    ),
]
Map: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        help='What a column holds, such as "E-mail 1 - Value=email" or "Full name=firstName '
        'lastName"; can be repeated.',
        rich_help_panel=READING,
    ),
]
MapFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="A TOML file that does the same as --map, with lines such as "
        '"E-mail 1 - Value" = "email".',
        rich_help_panel=READING,
    ),
]
Set: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help='A value for each row that has none, such as "groups=10;11"; can be repeated.',
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
        help="The sheet of a workbook; without it, the first sheet that has rows.",
        rich_help_panel=READING,
    ),
]
HeaderRow: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="The number of the header row, which names the columns; without it, the first row "
        "that is not empty.",
        show_default=False,
        rich_help_panel=READING,
    ),
]
Encoding: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="The encoding of a text file; without it, the encoding is detected.",
        rich_help_panel=READING,
    ),
]
DateOrderOption: TypeAlias = Annotated[
    DateOrder | None,
    typer.Option(
        "--date-order",
        help="The order of day, month and year in dates.",
        rich_help_panel=READING,
    ),
]
