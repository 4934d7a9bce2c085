"""The `contactsdk` command; it needs the extra `cli`."""

from contactsdk.cli.commands import app

__all__ = ["app"]
