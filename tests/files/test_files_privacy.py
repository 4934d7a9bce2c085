import pytest

from contactsdk.files.privacy import without_values
from tests.examples import a_contact, a_full_contact


@pytest.mark.parametrize(
    ("message", "hidden"),
    [
        ("ada@example.com is taken by Ada Archer", "[...] is taken by [...] [...]"),
        ("ADA ARCHER is known", "[...] [...] is known"),
        ("+61 400 000 000 is too long", "[...] is too long"),
        ("external id ext-1 of contact 33884", "external id [...] of contact [...]"),
        ("'No' and red are no options", "'[...]' and [...] are [...] options"),
        ("https://crm.example.com/7 is no link", "[...] is [...] link"),
        ("group 10 does not exist", "group 10 does not exist"),
    ],
)
def test_values_of_the_contact_are_hidden(message: str, hidden: str) -> None:
    assert without_values(message, a_full_contact()) == hidden


def test_part_of_a_word_is_no_value() -> None:
    contact = a_contact(first_name="An", last_name="A")
    assert without_values("An email and a phone", contact) == "[...] email and a phone"


def test_values_within_values_are_hidden() -> None:
    contact = a_contact(custom_fields={7: {"city": ["Ulm", None, True]}})
    assert without_values("Ulm is not True", contact) == "[...] is not True"


def test_message_about_no_contact_stays_as_it_is() -> None:
    assert without_values("Ada", None) == "Ada"
