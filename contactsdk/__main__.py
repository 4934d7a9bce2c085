"""Where the `contactsdk` command and `python -m contactsdk` start."""

import sys


def main() -> None:
    """Run the command that the arguments name, and exit."""
    try:
        # Here, since without the extra there is nothing to import.
        from contactsdk.cli import app
    except ModuleNotFoundError as exc:
        if exc.name not in ("typer", "rich"):
            raise
        print(f"{exc.name} is missing: pip install 'contactsdk[cli]'", file=sys.stderr)
        sys.exit(2)
    app()


if __name__ == "__main__":
    main()
