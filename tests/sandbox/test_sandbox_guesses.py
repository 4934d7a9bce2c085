import pytest

from contactsdk.sandbox import Guesses
from contactsdk.sandbox.guesses import ANSWERS, QUESTIONS


def test_every_guess_has_a_question_and_at_least_two_answers() -> None:
    assert QUESTIONS.keys() == ANSWERS.keys()
    assert all(text.endswith(("?", ".")) for text in QUESTIONS.values())
    assert all(len(set(answers)) >= 2 for answers in ANSWERS.values())


def test_first_answer_is_the_default() -> None:
    assert Guesses() == Guesses(**{name: answers[0] for name, answers in ANSWERS.items()})  # type: ignore[arg-type]


def test_settings_are_read_and_the_last_of_a_name_counts() -> None:
    read = Guesses.read(["custom_fields=replace", "null_text=keep", "null_text=clear"])
    assert read == Guesses(custom_fields="replace", null_text="clear")


def test_no_settings_are_the_defaults() -> None:
    assert Guesses.read([]) == Guesses()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("null_text=maybe", "null_text must be refuse, clear or keep"),
        ("null_text", "null_text must be refuse, clear or keep"),
        ("nothing=keep", "'nothing' is not a guess: it must be custom_fields, "),
    ],
)
def test_setting_that_is_not_a_guess_is_refused(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Guesses.read([setting])
