from typing import Any

import pytest

from contactsdk import Contact
from contactsdk.files import FileError
from tests.files.made import ADA, NAMES, a_field, contact_of, csv_input, fields_of, items, one_item


def refusal(header: str, **options: Any) -> str:
    with pytest.raises(FileError) as caught:
        csv_input(f"{header}\nx,y,z\n", **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("header", "suggestion"),
    [
        ("fristName", ' (use --map "fristName=firstName" if it holds that)'),
        ("Courriel", ' (use --map "Courriel=email" if it holds that)'),
        ("Name", ' (use --map "Name=firstName lastName" if it holds that)'),
        ("Customer ID", ' (use --map "Customer ID=externalId" if it holds that)'),
        ("Vorname", ' (use --map "Vorname=firstName" if it holds that)'),
        ("custmFields", ' (use --map "custmFields=customFields.<field id>" if it holds that)'),
        ("externalUrl", ' (use --map "externalUrl=externalUrls.<ref>" if it holds that)'),
        ("Allergies", ""),
    ],
)
def test_unknown_column_is_named_with_what_it_probably_holds(header: str, suggestion: str) -> None:
    assert refusal(f"{header},id").splitlines()[:2] == [
        f"x.csv, row 1: unknown column '{header}'{suggestion}",
        "To leave a column out, use --ignore-columns, or --ignore-unknown for all of them; a "
        f'custom field is --map "{header}=customFields.<its id>" (contactsdk fields lists the '
        "ids).",
    ]


@pytest.mark.parametrize(
    ("header", "what"),
    [
        ("customFields.Dietary", "a custom field is named by its id, such as customFields.33443"),
        ("customFields.", "a custom field is named by its id, such as customFields.33443"),
        ("customFields.5.planet", "an address has the parts line1, "),
    ],
)
def test_wrong_name_of_a_custom_field_is_refused_with_what_it_needs(header: str, what: str) -> None:
    assert f"unknown column '{header}': {what}" in refusal(f"{header},id")


def test_other_words_for_email_and_last_name_are_known() -> None:
    text = "First Name,Surname,E-mail\nAda,Archer,ada@example.com\n"
    found = contact_of(one_item(csv_input(text)))
    assert (found.last_name, found.email) == ("Archer", "ada@example.com")
    assert "both hold email" in refusal("id,Email,E-mail")


def test_example_of_a_custom_field_is_a_column_without_a_guess() -> None:
    assert '--map "Notiz=customFields.<its id>"' in refusal("Vorname,id,Notiz")


def test_all_unknown_columns_are_named() -> None:
    message = refusal("one,id,two")
    assert "row 1:\n  unknown column 'one'\n  unknown column 'two'\nTo leave" in message


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("firstName,first_name", "A ('firstName') and B ('first_name')"),
        ("email,id,EMAIL", "A ('email') and C ('EMAIL')"),
        ("customFields.1,custom_fields.1", "A ('customFields.1') and B ('custom_fields.1')"),
        ("Email,Email Address", "A ('Email') and B ('Email Address')"),
        ("Mobile Phone,Home Phone", "A ('Mobile Phone') and B ('Home Phone')"),
    ],
)
def test_columns_that_hold_the_same_are_refused_with_how_to_choose(
    header: str, columns: str
) -> None:
    message = refusal(header)
    assert message.startswith(f"x.csv, row 1: columns {columns} both hold ")
    assert '--map "column ' in message
    assert '--ignore-columns "column ' in message
    assert "--ignore-unknown" not in message


def test_same_header_twice_is_refused_in_an_export_as_well() -> None:
    assert "both hold email" in refusal("Record ID,Lead Status,Email,Email")


def test_mapped_full_name_stands_for_both_names() -> None:
    text = "Name,Last Name,Email\nAda Archer,Baker,ada@example.com\n"
    source = csv_input(text, maps=["Name=firstName lastName"])
    assert contact_of(one_item(source)).last_name == "Archer"
    assert [use.name for use in source.description.left_out] == ["Last Name"]


def test_two_mapped_columns_that_hold_the_same_are_refused() -> None:
    assert "both hold phone" in refusal("id,a,b", maps=["a=phone", "b=phone"])


@pytest.mark.parametrize(
    "ignored", [["notes"], ["x, NOTES"], ["column A"], ["notes", "nothing of that name"]]
)
def test_ignored_column_is_left_out(ignored: list[str]) -> None:
    source = csv_input(f"Notes,{NAMES}\nanything,{ADA}\n", ignored=ignored)
    assert [use.reason for use in source.description.left_out] == ["ignored"]
    assert contact_of(one_item(source)).first_name == "Ada"


def test_header_that_is_called_like_a_letter_is_meant_by_it() -> None:
    source = csv_input(f"{NAMES},column A\n{ADA},x\n", ignored=["column A"])
    assert [use.name for use in source.description.left_out] == ["column A"]


def test_header_with_commas_can_be_ignored_among_others() -> None:
    source = csv_input(f'{NAMES},"a, b",c,d\n{ADA},1,2,3\n', ignored=["a, b", "c,d"])
    assert [use.name for use in source.description.left_out] == ["a, b", "c", "d"]


def test_unknown_columns_can_all_be_left_out() -> None:
    source = csv_input(f"x,{NAMES},ID,y\n1,{ADA},2,3\n", ignore_unknown=True)
    assert [use.reason for use in source.description.left_out] == ["unknown"] * 3
    assert contact_of(one_item(source)).id is None


def test_id_in_capitals_may_be_another_systems() -> None:
    message = refusal("ID,First Name,Last Name")
    assert '--map "ID=external_id"' in message
    assert '--map "ID=id"' in message
    text = f"ID,{NAMES}\n7,{ADA}\n"
    assert contact_of(one_item(csv_input(text, maps=["ID=id"]))).id == 7
    assert contact_of(one_item(csv_input(text, maps=["ID=external_id"]))).external_id == "7"


def test_map_wins_over_what_a_header_says() -> None:
    source = csv_input("id,phone,Mobile\n7,1,2\n", maps=["Mobile=phone"])
    assert one_item(source) == Contact(id=7, phone="2")
    [left_out] = source.description.left_out
    assert (left_out.name, left_out.reason) == ("phone", "another column holds phone")


def test_map_divides_at_its_last_equals_sign() -> None:
    assert one_item(csv_input("id,a=b\n7,1\n", maps=["a=b=phone"])) == Contact(id=7, phone="1")


def test_map_of_a_column_that_is_not_there_is_refused_with_the_columns() -> None:
    message = refusal("id,phone", maps=["Mobile=phone"])
    assert (
        "--map names a column 'Mobile' that is not there; the columns are 'id', 'phone'" in message
    )


def test_column_without_a_header_can_be_mapped_by_its_letter() -> None:
    assert one_item(csv_input("id,\n7,1\n", maps=["column B=phone"])) == Contact(id=7, phone="1")


def test_columns_that_we_added_are_left_out() -> None:
    source = csv_input("id,contactsdk_message,Contactsdk ID\n7,why,8\n")
    assert one_item(source) == Contact(id=7)
    assert {use.reason for use in source.description.left_out} == {"added by contactsdk"}


def test_column_of_a_vendor_is_left_out_by_itself() -> None:
    source = csv_input(f"{NAMES},Ticket Type\n{ADA},General\n")
    assert [use.reason for use in source.description.left_out] == ["a column of Eventbrite"]
    assert source.description.vendor is None


def test_custom_field_is_known_by_its_name_in_an_export_too() -> None:
    header = "Record ID,Lead Status,First Name,Last Name,Email,Shirt size"
    text = f"{header}\n1,New,{ADA},M\n"
    [item] = items(csv_input(text, custom_fields=[a_field(5, "Shirt size", 0)]))
    assert fields_of(contact_of(item)) == [(5, "M")]


def test_what_a_column_holds_is_named_as_a_user_writes_it() -> None:
    text = "id,customFields.5,externalUrls.crm,Name,x\n7,1,,,\n"
    source = csv_input(text, maps=["Name=firstName lastName"], ignored=["x"])
    assert [use.holds for use in source.description.columns] == [
        "id",
        "customFields.5",
        "externalUrls.crm",
        "firstName lastName",
        "",
    ]
