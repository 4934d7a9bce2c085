"""Text for a terminal."""


def printable(what: object) -> str:
    """Text from outside as one line, with `?` for each character that could control a terminal."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(str(what).split()))


def printable_lines(text: str) -> str:
    """Each line of a text as `printable` gives it; blanks at the start of a line stay."""
    return "\n".join(
        " " * (len(line) - len(line.lstrip(" "))) + printable(line) for line in text.split("\n")
    )


def duration(seconds: float) -> str:
    """A number of seconds for people, such as `4.2 s` or `3 min 20 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
