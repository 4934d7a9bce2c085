"""Checks of numbers that callers pass."""

import math


def check_count(name: str, value: int, most: int | None = None) -> None:
    """Refuse anything but a whole number from 1, and to `most` where that is given.

    Raises:
        ValueError: The message names the argument and what is expected.
    """
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not is_count or (most is not None and value > most):
        expected = "from 1" if most is None else f"from 1 to {most}"
        raise ValueError(f"{name} must be a whole number {expected}, not {value!r}")


def check_seconds(name: str, value: float) -> None:
    """Refuse anything but a positive, finite number of seconds.

    Raises:
        ValueError: The message names the argument and what is expected.
    """
    check_positive(name, value, "a positive number of seconds")


def check_positive(name: str, value: float, expected: str = "a positive number") -> None:
    """Refuse anything but a positive, finite number.

    Raises:
        ValueError: The message names the argument and what is expected.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be {expected}, not {value!r}")
