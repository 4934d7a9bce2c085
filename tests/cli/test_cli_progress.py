from attrs import evolve
from cli.test_cli_timeline import progress

from contactsdk.cli.progress import bar, notes


def test_note_says_how_long_a_pause_lasts() -> None:
    note = notes()
    waited = [0.0, 3.0, 8.0, 8.0, 9.0]
    assert [note(progress(1.0, 0, paused_s=paused_s)) for paused_s in waited] == [
        "",
        "the platform is busy or does not answer: waiting for 3 s",
        "the platform is busy or does not answer: waiting for 8 s",
        "",
        "the platform is busy or does not answer: waiting for 1 s",
    ]


def test_bar_that_is_hidden_takes_the_progress_all_the_same() -> None:
    with bar(10, hidden=True) as show:
        show(evolve(progress(1.0, 7), failed=1))
