import pytest

from contactsdk import EmailStatus, InvalidContactError, SmsStatus
from contactsdk.cli.spool import Spool
from contactsdk.cli.survey import Survey
from contactsdk.models import Item
from tests.examples import a_contact, an_update


def survey_of(*items: Item) -> Survey:
    with Spool[int]() as people, Spool[int]() as external_ids:
        survey = Survey(people, external_ids)
        for row, item in enumerate(items, 2):
            survey.add(row, item)
        survey.finish()
        return survey


def test_each_kind_of_row_is_counted() -> None:
    survey = survey_of(
        a_contact(),
        an_update(phone="1"),
        a_contact(update_if_exists=True),
        InvalidContactError([(("email",), "is required")]),
    )
    assert (survey.rows, survey.valid_rows, survey.invalid_rows) == (4, 3, 1)
    assert (survey.adds, survey.updates, survey.updates_if_exist) == (1, 1, 1)
    assert survey.invalid.lines() == ["  1 x email is required (row 5)"]


def test_first_valid_rows_are_kept() -> None:
    contacts = [a_contact(first_name=name) for name in "ABCD"]
    survey = survey_of(InvalidContactError([((), "wrong")]), *contacts)
    assert survey.first == [(3, contacts[0]), (4, contacts[1]), (5, contacts[2])]


def test_adds_of_one_person_are_found() -> None:
    again = a_contact(first_name="ADA")
    survey = survey_of(a_contact(), again, a_contact(update_if_exists=True), an_update())
    assert survey.same_person.first == ((2, 3),)


def test_rows_that_become_one_contact_are_found() -> None:
    contact = a_contact(update_if_exists=True)
    survey = survey_of(a_contact(), contact, a_contact(first_name="Bo"), contact)
    assert survey.same_person.rows == 0
    assert survey.same_person_updated.first == ((3, 5),)


def test_adds_with_one_external_id_are_found() -> None:
    survey = survey_of(
        a_contact(external_id="1"),
        a_contact(external_id="1", first_name="Bo", update_if_exists=True),
        an_update(external_id="1"),
    )
    assert survey.same_external_id.first == ((2, 3),)


def test_groups_and_subscriptions_are_counted() -> None:
    survey = survey_of(
        a_contact(groups=[], status=EmailStatus.SUBSCRIBED),
        a_contact(sms_status=SmsStatus.SUBSCRIBED),
        a_contact(groups=[1], status=EmailStatus.UNSUBSCRIBED),
    )
    assert (survey.with_groups, survey.resubscribing) == (2, 2)


@pytest.mark.parametrize(
    ("phone", "is_bare"),
    [("412345678", True), ("0412345678", False), ("+61412345678", False), ("123", False)],
)
def test_phone_that_may_have_lost_its_first_digit_is_counted(phone: str, is_bare: bool) -> None:
    assert survey_of(a_contact(phone=phone)).bare_phones == is_bare
