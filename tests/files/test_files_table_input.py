import pytest

from contactsdk import Contact, InvalidContactError
from tests.files.made import (
    ADA,
    NAMES,
    a_field,
    a_group,
    csv_input,
    errors,
    items,
    one_item,
    written_back,
)


def test_all_that_is_wrong_with_a_row_is_reported_at_once() -> None:
    item = one_item(csv_input("firstName;lastName;email;status;phone\nAda;;;Foo;#REF!\n"))
    assert list(errors(item)) == [("lastName",), ("email",), ("status",), ("phone",)]


def test_missing_cells_are_empty() -> None:
    [item] = items(csv_input(f"{NAMES},phone,status\n{ADA}\n"))
    assert item == one_item(csv_input(f"{NAMES}\n{ADA}\n"))


def test_cell_past_the_columns_is_its_rows_failure() -> None:
    good, bad = items(csv_input(f"{NAMES}\n{ADA},, \n{ADA},,x\n"))
    assert isinstance(good, Contact)
    [what] = errors(bad).values()
    assert what.startswith("the row has more cells than there are columns")


def test_cell_under_a_nameless_column_is_its_rows_failure() -> None:
    good, bad = items(csv_input(f"{NAMES},,\n{ADA},,\n{ADA},x,\n"))
    assert isinstance(good, Contact)
    assert errors(bad) == {(): "column D has no header: name it, or empty its cells"}


def test_what_an_email_misses_is_not_said_where_its_cell_was_not_read() -> None:
    item = one_item(csv_input(f"{NAMES}\nAda,Archer,a@example.com b@example.com\n"))
    assert errors(item) == {("email",): "holds several addresses: keep one"}


def test_message_of_before_is_replaced() -> None:
    back = written_back(csv_input("id,Contactsdk_Message,phone\n7,old,1\n8\n"))
    assert back == "id,Contactsdk_Message,phone\r\n7,why,1\r\n8,why,\r\n"


def test_message_comes_under_its_own_column() -> None:
    assert written_back(csv_input("id\n7,,x\n")) == "id,contactsdk_message\r\n7,why,,x\r\n"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_message_cannot_run_as_a_formula(start: str) -> None:
    back = written_back(csv_input("id\n7\n"), f"{start}1+2")
    assert "\n7,'" in back or "\n7,\"'" in back


def test_own_cells_are_written_back_as_they_were() -> None:
    back = written_back(csv_input('id,phone\n7,"=1+2"\n8, \'+61 \n'))
    assert back == "id,phone,contactsdk_message\r\n7,=1+2,why\r\n8, '+61 ,why\r\n"


def test_written_back_rows_make_the_same_items() -> None:
    text = "first_name,last_name,email,phone\nAda,,x@,1\nBen,Baker,b@example.com,'1\n"
    source = csv_input(text)
    before = items(source)
    again = items(csv_input(written_back(csv_input(text))))
    assert [type(item) for item in again] == [type(item) for item in before]
    assert again[1] == before[1]
    assert isinstance(before[0], InvalidContactError)


def test_filled_cells_have_the_names_of_their_columns() -> None:
    source = csv_input('Id,First Name,,Phone\n7, Ada ,x\n"a"b,c\n', ignored=["column C"])
    ada, broken = list(source)
    assert source.values(ada) == {"Id": "7", "First Name": " Ada "}
    assert source.values(broken) == {"line": '"a"b,c\n'}


def test_rows_that_were_decoded_wrongly_are_counted_once() -> None:
    text = (
        f"{NAMES}\n"
        + "J\u00c3\u00b6rg,M?ller,j@example.com\n" * 12
        + f"{ADA}\nWhy?,No,w@example.com\n"
    )
    source = csv_input(text)
    for row in source:
        assert source.item(row) == source.item(row)
    [warning] = source.warnings()
    assert warning.startswith("rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more: the text was ")


def test_ordinary_letters_are_not_warned_of() -> None:
    source = csv_input(f"{NAMES}\nJoão,SÃO,j@example.com\nÂngela,Ärmel?,a@example.com\n")
    items(source)
    assert source.warnings() == ()


def test_cells_that_hold_a_wrong_choice_are_named() -> None:
    source = csv_input(
        "id,email,status,customFields.5,groups\n7,x, active ,3,10\n8,,1,x,Kunden|VIP\n",
        groups=[a_group(10, "Kunden")],
        custom_fields=[a_field(5, "Seats", 8)],
    )
    rows = list(source)
    found = []
    for row in rows:
        item = source.item(row)
        assert isinstance(item, InvalidContactError)
        found.append(source.choices_in(row, item))
    assert found == [("active",), ("Kunden|VIP", "x")]


def test_choice_in_a_cell_that_is_not_there_is_not_named() -> None:
    source = csv_input("id,first_name,status\n7\n")
    [row] = source
    assert source.choices_in(row, InvalidContactError([(("status",), "is wrong")])) == ()
