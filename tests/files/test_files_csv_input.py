import io

import pytest
from examples import a_contact
from files.made import ADA, NAMES, csv_input, errors, items, written_back

from contactsdk import Contact, EmailStatus, ExternalUrl, SmsStatus
from contactsdk.files import CsvInput, FileError


def one_cell(column, cell):
    """The item of a row to update with this one further cell."""
    [item] = items(csv_input(f'id,"{column}"\n7,"{cell}"\n'))
    return item


@pytest.mark.parametrize(
    ("column", "cell", "field", "value"),
    [
        ("externalId", "x-1", "external_id", "x-1"),
        ("PHONE", " 1 ", "phone", " 1 "),
        (" phone ", "1", "phone", "1"),
        ("External ID", "x-1", "external_id", "x-1"),
        ("SMS Status", "4", "sms_status", SmsStatus.NO_MARKETING),
        ("groups", "10;11", "groups", (10, 11)),
        ("groups", "10", "groups", (10,)),
        ("companies", " 4 ; 5 ", "companies", (4, 5)),
        ("status", "5", "status", EmailStatus.NO_MARKETING),
        ("status", "No Marketing", "status", EmailStatus.NO_MARKETING),
        ("Status", "no_marketing", "status", EmailStatus.NO_MARKETING),
        ("smsStatus", "FAILED", "sms_status", SmsStatus.FAILED),
        ("sms_status", "4", "sms_status", SmsStatus.NO_MARKETING),
        ("updateIfExists", "TRUE", "update_if_exists", True),
        ("update_if_exists", "yes", "update_if_exists", True),
        ("update_if_exists", "1", "update_if_exists", True),
        ("privacyConsent", "false", "privacy_consent", False),
        ("privacyconsent", "No", "privacy_consent", False),
        ("privacy_consent", "0", "privacy_consent", False),
        (
            "externalUrls.CRM",
            "https://example.com/7",
            "external_urls",
            (ExternalUrl(ref="CRM", url="https://example.com/7"),),
        ),
    ],
)
def test_cell_becomes_the_value_of_its_field(column, cell, field, value):
    assert one_cell(column, cell) == Contact(**{"id": 7, field: value})


@pytest.mark.parametrize(
    "column", ["customFields.33443", "custom_fields.33443", "Custom Fields.33443"]
)
def test_custom_field_goes_out_as_a_string(column):
    [field] = one_cell(column.upper(), "12").custom_fields
    assert (field.field_id, field.value) == (33443, "12")


@pytest.mark.parametrize("cell", ["", "  "])
@pytest.mark.parametrize(
    "column", ["phone", "groups", "status", "updateIfExists", "customFields.1", "externalUrls.a"]
)
def test_empty_cell_is_not_sent(column, cell):
    assert one_cell(column, cell) == Contact(id=7)


@pytest.mark.parametrize(
    ("column", "cell", "path"),
    [
        ("groups", "10;x", ("groups", 1)),
        ("groups", "10;", ("groups", 1)),
        ("companies", "-4", ("companies", 0)),
        ("companies", "٤", ("companies", 0)),
        ("status", "Foo", ("status",)),
        ("status", "6", ("status",)),
        ("smsStatus", "Bounced", ("sms_status",)),
        ("updateIfExists", "maybe", ("update_if_exists",)),
        ("externalUrls.a", "http://example.com", ("external_urls", 0, "url")),
    ],
)
def test_cell_that_cannot_be_read_is_its_rows_failure(column, cell, path):
    assert list(errors(one_cell(column, cell))) == [path]


def test_all_that_is_wrong_with_a_row_is_told_at_once():
    [item] = items(csv_input("firstName;status;groups;phone\nAda;Foo;1;2;beyond\n"))
    assert list(errors(item)) == [("last_name",), ("email",), ("status",), ()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_spreadsheets_conventions_are_found_out(delimiter, mark, end):
    text = f"{NAMES}{end}{ADA}{end}".replace(",", delimiter)
    assert items(csv_input(mark + text.encode())) == [a_contact()]


def test_delimiter_within_quotes_does_not_count():
    source = csv_input('id,"externalUrls.a;b;c",phone\n7,https://example.com,1\n')
    [contact] = items(source)
    assert [link.ref for link in contact.external_urls] == ["a;b;c"]


def test_one_column_needs_no_delimiter():
    assert items(csv_input("id\n7\n8")) == [Contact(id=7), Contact(id=8)]


def test_line_is_where_the_row_starts():
    text = f'\n{NAMES}\n\n"A\nd\r\na",B,a@example.com\n{ADA}\n,,\n \n{ADA}'
    source = csv_input(text)
    rows = list(source)
    assert [row.line for row in rows] == [4, 7, 10]
    assert rows[0].cells[0] == "A\nd\r\na"


def test_missing_cells_are_empty():
    assert items(csv_input(f"{NAMES},phone,status\n{ADA}\n")) == [a_contact()]


def test_cell_past_the_columns_is_its_rows_failure():
    good, bad = items(csv_input(f"{NAMES}\n{ADA},,\n{ADA},,x\n"))
    assert good == a_contact()
    assert errors(bad) == {(): "cell 5 belongs to no column"}


def test_cell_under_a_nameless_column_is_its_rows_failure():
    good, bad = items(csv_input(f"{NAMES},,\n{ADA},,\n{ADA},x,\n"))
    assert good == a_contact()
    assert errors(bad) == {(): "cell 4 belongs to no column"}


@pytest.mark.parametrize(
    ("column", "nearest"),
    [
        ("fristName", "first_name"),
        ("E-Mail", "email"),
        ("first_name.1", "first_name"),
        ("customFields", "custom_fields.<field id>"),
        ("customFields.abc", "custom_fields.<field id>"),
        ("customFields.0", "custom_fields.<field id>"),
        ("custmFields.33443", "custom_fields.33443"),
        ("externalUrls", "external_urls.<ref>"),
        ("externalUrl.crm", "external_urls.crm"),
    ],
)
def test_unknown_column_is_named_with_the_nearest_known_one(column, nearest):
    with pytest.raises(FileError) as caught:
        csv_input(f"\n{column},id\n")
    assert str(caught.value) == (
        f"x.csv, line 2: unknown column '{column}' (the nearest known one is {nearest}); "
        "to let a column pass, use --ignore-columns"
    )


def test_all_unknown_columns_are_named():
    with pytest.raises(FileError, match=r"'one'.*'two'"):
        csv_input("one,id,two\n")


@pytest.mark.parametrize(
    ("header", "twice"),
    [
        ("firstName,first_name", "first_name"),
        ("email,EMAIL", "EMAIL"),
        ("firstName,First Name", "First Name"),
        ("customFields.1,custom_fields.1", "custom_fields.1"),
    ],
)
def test_column_that_is_there_twice_is_an_error(header, twice):
    with pytest.raises(FileError, match=f"line 1: column '{twice}' is there twice"):
        csv_input(header)


@pytest.mark.parametrize("column", ["message", "Message", "Notes", "customFields.x"])
def test_ignored_column_is_let_pass(column):
    source = csv_input(f"{column},{NAMES}\nanything,{ADA}\n", ["notes", "CustomFields.X"])
    assert items(source) == [a_contact()]


@pytest.mark.parametrize("text", ["", "\n\n", " \n;;\n", "\ufeff"])
def test_no_header_is_an_error(text):
    with pytest.raises(FileError, match=r"x\.csv, line 1: there is no header row"):
        csv_input(text)


def test_header_that_is_not_text_is_an_error():
    with pytest.raises(FileError, match="line 1: the header is not UTF-8 text: save "):
        csv_input(b"first_name,\xff\n")


def test_unclosed_quote_in_the_header_is_an_error():
    with pytest.raises(FileError, match=r"line 1: .* quotes"):
        csv_input('"first_name,email\nAda')


def test_unclosed_quote_names_the_line_it_starts_in():
    source = csv_input(f'{NAMES}\n{ADA}\nAda,"Archer,ada@example.com\n{ADA}\n')
    with pytest.raises(FileError, match=r"x\.csv, line 3: .* quotes"):
        list(source)


def test_text_after_a_closed_quote_is_an_error():
    with pytest.raises(FileError, match="line 2"):
        list(csv_input(f'{NAMES}\n"Ada"x,Archer,ada@example.com\n'))


def test_bytes_that_are_not_text_are_their_rows_failure():
    source = csv_input(f"{NAMES}\nAd\xe4,Archer,ada@example.com\n{ADA}\n".encode("latin-1"))
    bad, good = items(source)
    assert errors(bad) == {("first_name",): "is not UTF-8 text: save the file as CSV UTF-8"}
    assert good == a_contact()


def test_csv_is_read_as_it_is_asked_for():
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            part = (f"{ADA}\n" if self.headed else f"{NAMES}\n").encode()
            self.headed = True
            buffer[: len(part)] = part
            return len(part)

        headed = False

    source = CsvInput(io.BufferedReader(Endless(), 64), "x.csv")
    assert source.item(next(iter(source))) == a_contact()


def test_csv_rows_are_written_back_with_a_message():
    text = f'{NAMES}\r\n"A ""d""\na",B;C,x\r\nAda,Archer\r\n'
    back = written_back(csv_input(text.replace(",", "\t")))
    expected = f'{NAMES},message\r\n"A ""d""\na",B;C,x,why\r\nAda,Archer,,why\r\n'
    assert back == expected.replace(",", "\t")


def test_byte_order_mark_is_written_back():
    assert written_back(csv_input("\ufeffid\n7\n")) == "\ufeffid,message\r\n7,why\r\n"


def test_message_of_before_is_replaced():
    back = written_back(csv_input("id,Message,phone\n7,old,1\n8\n"))
    assert back == "id,Message,phone\r\n7,why,1\r\n8,why,\r\n"


def test_message_comes_under_its_own_column():
    assert written_back(csv_input("id\n7,,x\n")) == "id,message\r\n7,why,,x\r\n"
