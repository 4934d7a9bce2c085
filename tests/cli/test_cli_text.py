from contactsdk.cli.text import duration, printable


def test_text_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[31m [red]b\r\nc") == "a?[31m [red]b c"


def test_duration_is_in_seconds_up_to_a_minute() -> None:
    assert duration(59.94) == "59.9 s"
    assert duration(125) == "2 min 5 s"
