"""Checks of numbers that callers pass."""

import math


def check_count(name: str, value: int) -> None:
    """Refuse anything but a whole number from 1.

    Raises:
        ValueError: The message names the argument and what is expected.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1, not {value!r}")


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
