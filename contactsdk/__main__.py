"""The entry point of the `contactsdk` command and of `python -m contactsdk`."""

import sys


def main() -> None:
    """Run the command that the arguments name, and exit."""
    try:
        # It is imported here, since the import fails without the extra `cli`.
        from contactsdk.cli import app
    except ModuleNotFoundError as exc:
        if exc.name not in ("typer", "rich"):
            raise
        print(f"{exc.name} is missing: pip install 'contactsdk[cli]'", file=sys.stderr)
        sys.exit(2)
    app()


if __name__ == "__main__":
    main()
