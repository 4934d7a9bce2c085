"""The exports of six programs, made after their public descriptions (named in `vendors.py`)."""

import csv
import io
from typing import Any

import openpyxl
import pytest
import xlwt  # type: ignore[import-untyped]  # it has no types
from odf.opendocument import OpenDocumentSpreadsheet  # type: ignore[import-untyped]  # it has no types
from odf.table import Table, TableCell, TableRow  # type: ignore[import-untyped]  # it has no types
from odf.text import P  # type: ignore[import-untyped]  # it has no types

from contactsdk import Contact, InvalidContactError
from contactsdk.files import Input
from tests.files.made import contact_of, items, made_input, saved

HUBSPOT = {
    "Record ID": 101,
    "First Name": "Ida",
    "Last Name": "Berg",
    "Email": "ida@example.com",
    "Phone Number": "+61 400 000 001",
    "Contact owner": "",
    "Primary company": "Acme",
    "Last Activity Date (GMT+10)": "2026-01-02 03:04",
    "Lead Status": "New",
    "Marketing contact status": "Marketing contact",
    "Create Date (GMT+10)": "2026-01-02 03:04",
    "Shoe size": "42",
}
MAILCHIMP = {
    "Email Address": "ida@example.com",
    "First Name": "Ida",
    "Last Name": "Berg",
    "Address": "1 High St  Town",
    "Phone Number": "+61 400 000 001",
    "Birthday": "01/02",
    "MEMBER_RATING": 2,
    "OPTIN_TIME": "2026-01-02 03:04:05",
    "OPTIN_IP": "192.0.2.1",
    "CONFIRM_TIME": "2026-01-02 03:04:05",
    "CONFIRM_IP": "192.0.2.1",
    "LATITUDE": "",
    "LONGITUDE": "",
    "GMTOFF": "",
    "DSTOFF": "",
    "TIMEZONE": "",
    "CC": "AU",
    "REGION": "VIC",
    "LAST_CHANGED": "2026-01-02 03:04:05",
    "LEID": 12345,
    "EUID": "abc",
    "NOTES": "",
    "TAGS": '"VIP","Press"',
}
GOOGLE = {
    "First Name": "Ida",
    "Middle Name": "M",
    "Last Name": "Berg",
    "Phonetic First Name": "",
    "Phonetic Middle Name": "",
    "Phonetic Last Name": "",
    "Name Prefix": "",
    "Name Suffix": "",
    "Nickname": "",
    "File As": "",
    "Organization Name": "Acme",
    "Organization Title": "",
    "Organization Department": "",
    "Birthday": "",
    "Notes": "",
    "Photo": "",
    "Labels": "* myContacts",
    "E-mail 1 - Label": "* Work",
    "E-mail 1 - Value": "ida@example.com",
    "E-mail 2 - Label": "Home",
    "E-mail 2 - Value": "ida@home.example.com",
    "Phone 1 - Label": "Mobile",
    "Phone 1 - Value": "+61 400 000 001",
    "Phone 2 - Label": "Work",
    "Phone 2 - Value": "+61 3 0000 0002",
}
GOOGLE_BEFORE_2024 = {
    "Name": "Ida Berg",
    "Given Name": "Ida",
    "Additional Name": "",
    "Family Name": "Berg",
    "Yomi Name": "",
    "Given Name Yomi": "",
    "Family Name Yomi": "",
    "Group Membership": "* myContacts",
    "E-mail 1 - Type": "* Work",
    "E-mail 1 - Value": "ida@example.com",
    "Phone 1 - Type": "Mobile",
    "Phone 1 - Value": "+61 400 000 001",
}
OUTLOOK = {
    "Title": "",
    "First Name": "Ida",
    "Middle Name": "",
    "Last Name": "Berg",
    "Suffix": "",
    "Company": "Acme",
    "Department": "",
    "Job Title": "",
    "Business Street": "1 High St",
    "Business City": "Town",
    "Business Country/Region": "Australia",
    "Home Street": "",
    "Business Fax": "",
    "Business Phone": "+61 400 000 001",
    "Home Phone": "+61 3 0000 0002",
    "Mobile Phone": "",
    "Categories": "",
    "E-mail Address": "ida@example.com",
    "E-mail Type": "SMTP",
    "E-mail Display Name": "Ida Berg (ida@example.com)",
    "E-mail 2 Address": "",
    "Gender": "Unspecified",
    "Notes": "",
    "Priority": "Normal",
    "Web Page": "",
}
SALESFORCE = {
    "Salutation": "Ms",
    "First Name": "Ida",
    "Last Name": "Berg",
    "Title": "Director",
    "Account Name": "Acme",
    "Mailing Street": "1 High St",
    "Mailing City": "Town",
    "Mailing State/Province": "VIC",
    "Mailing Zip/Postal Code": "3000",
    "Mailing Country": "Australia",
    "Phone": "+61 400 000 001",
    "Mobile": "",
    "Email": "ida@example.com",
    "Account Owner": "Uno Holm",
    "Contact ID": "0035g00000Abcde",
}
SALESFORCE_DATA_LOADER = {
    "ID": "0035g00000AbcdeAAA",
    "ACCOUNTID": "0015g00000AbcdeAAA",
    "LASTNAME": "Berg",
    "FIRSTNAME": "Ida",
    "MAILINGSTREET": "1 High St",
    "PHONE": "+61 400 000 001",
    "MOBILEPHONE": "",
    "EMAIL": "ida@example.com",
    "OWNERID": "0055g00000AbcdeAAA",
}
EVENTBRITE = {
    "Order #": "1234567890",
    "Order Date": "2026-01-02 03:04:05",
    "First Name": "Ida",
    "Last Name": "Berg",
    "Email": "ida@example.com",
    "Quantity": 1,
    "Price Tier": "",
    "Ticket Type": "General",
    "Attendee #": "9876543210",
    "Group": "",
    "Order Type": "Free Order",
    "Currency": "AUD",
    "Total Paid": 0.0,
    "Fees Paid": 0.0,
    "Attendee Status": "Attending",
    "Home Address 1": "",
    "Cell Phone": "+61 400 000 001",
    "How did you hear about this event?": "From a friend, by mail",
}
EXPORTS: dict[str, list[dict[str, Any]]] = {
    "HubSpot": [HUBSPOT],
    "Mailchimp": [MAILCHIMP],
    "Google Contacts": [GOOGLE, GOOGLE_BEFORE_2024],
    "Outlook": [OUTLOOK],
    "Salesforce": [SALESFORCE, SALESFORCE_DATA_LOADER],
    "Eventbrite": [EVENTBRITE],
}
IDA = Contact(first_name="Ida", last_name="Berg", email="ida@example.com", phone="+61 400 000 001")


def as_csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def as_xlsx(rows: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    return saved(book)


def as_xls(rows: list[list[Any]]) -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Export")
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            sheet.write(row, column, value)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def as_ods(rows: list[list[Any]]) -> bytes:
    document = OpenDocumentSpreadsheet()
    table = Table(name="Export")
    for values in rows:
        row = TableRow()
        for value in values:
            kind = {"valuetype": "string"}
            if not isinstance(value, str):
                kind = {"valuetype": "float", "value": str(value)}
            cell = TableCell(**kind)
            cell.addElement(P(text=str(value)))
            row.addElement(cell)
        table.addElement(row)
    document.spreadsheet.addElement(table)
    file = io.BytesIO()
    document.write(file)
    return file.getvalue()


WRITERS = {"csv": as_csv, "xlsx": as_xlsx, "xls": as_xls, "ods": as_ods}


def opened(export: dict[str, Any], kind: str, *others: dict[str, Any], **options: Any) -> Input:
    rows = [list(export), *(list(row.values()) for row in (export, *others))]
    return made_input(WRITERS[kind](rows), f"export.{kind}", **options)


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("vendor", "export"),
    [(vendor, export) for vendor, exports in EXPORTS.items() for export in exports],
)
def test_export_goes_through_without_a_map(vendor: str, export: dict[str, Any], kind: str) -> None:
    source = opened(export, kind)
    assert items(source) == [IDA]
    assert source.description.vendor == vendor
    used = {use.name for use in source.description.columns if use.column is not None}
    left_out = {use.name for use in source.description.left_out}
    assert used | left_out == set(export)
    assert not used & left_out


def test_id_of_another_system_is_never_the_platforms() -> None:
    for export in (HUBSPOT, SALESFORCE_DATA_LOADER):
        [item] = items(opened({**export, "Id": "77"} if "ID" not in export else export, "csv"))
        assert contact_of(item).id is None


def test_another_phone_counts_where_the_better_one_is_empty() -> None:
    both = {**OUTLOOK, "Mobile Phone": "+61 400 000 009"}
    neither = {**OUTLOOK, "Business Phone": "", "Home Phone": ""}
    found = items(opened(both, "csv", OUTLOOK, neither))
    phones = [contact_of(item).phone for item in found]
    assert phones == ["+61 400 000 009", "+61 400 000 001", None]


def test_several_numbers_in_a_cell_fail() -> None:
    several = {**GOOGLE, "Phone 1 - Value": "+61 400 000 001 ::: +61 400 000 002"}
    [item] = items(opened(several, "csv"))
    assert isinstance(item, InvalidContactError)
    assert item.message == "phone holds several numbers: keep one"


def test_column_of_an_export_can_be_mapped_nevertheless() -> None:
    [item] = items(opened(HUBSPOT, "csv", maps=["Record ID=externalId"]))
    assert contact_of(item).external_id == "101"


@pytest.mark.parametrize(
    ("export", "column", "what"),
    [
        (MAILCHIMP, "UNSUB_TIME", "These contacts have unsubscribed: --set status=Unsubscribed"),
        (HUBSPOT, "Unsubscribed from all email", "leave these rows out, or map a column to status"),
    ],
)
def test_export_of_who_unsubscribed_is_cautioned_about(
    export: dict[str, Any], column: str, what: str
) -> None:
    [warning] = opened({**export, column: "2026-02-03"}, "csv").warnings()
    assert what in warning
