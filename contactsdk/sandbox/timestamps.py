"""The platform's timestamps: `yyyy-mm-dd HH:mm:ss`, UTC, perhaps followed by ` UTC`."""

from datetime import UTC, datetime

_FORMAT = "%Y-%m-%d %H:%M:%S"


def timestamp(epoch_s: float, *, with_utc: bool = False) -> str:
    """A time in epoch seconds as the platform writes it; fractions of a second are cut off."""
    return f"{datetime.fromtimestamp(epoch_s, UTC):{_FORMAT}}{' UTC' if with_utc else ''}"


def read_timestamp(text: str) -> float:
    """The epoch seconds of a timestamp of the platform.

    Raises:
        ValueError: The text is not such a timestamp.
    """
    return datetime.strptime(text.removesuffix(" UTC"), _FORMAT).replace(tzinfo=UTC).timestamp()
