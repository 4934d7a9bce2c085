"""The platform's timestamps: `yyyy-mm-dd HH:mm:ss`, UTC, perhaps followed by ` UTC`."""

from datetime import UTC, datetime

_FORMAT = "%Y-%m-%d %H:%M:%S"


def timestamp(epoch_s: float, *, with_utc: bool = False) -> str:
    """Epoch seconds as the platform writes them, cut to whole seconds."""
    return f"{datetime.fromtimestamp(epoch_s, UTC):{_FORMAT}}{' UTC' if with_utc else ''}"


def read_timestamp(text: str) -> float:
    """Epoch seconds of a timestamp.

    Raises:
        ValueError: it is not a timestamp.
    """
    return datetime.strptime(text.removesuffix(" UTC"), _FORMAT).replace(tzinfo=UTC).timestamp()
