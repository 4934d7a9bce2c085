from contactsdk.files import Format
from contactsdk.files.description import Remarks
from tests.files.made import csv_input, jsonl_input, made_input, workbook


def test_how_a_table_was_read_is_described() -> None:
    shown = csv_input("id;Notes;;Ticket Type\n7;x;;y\n", ignored=["notes"]).description
    assert (shown.format, shown.encoding, shown.delimiter) == (Format.CSV, "UTF-8", ";")
    assert not shown.is_compressed
    assert [(use.place, use.name, use.holds, use.reason) for use in shown.columns] == [
        (0, "id", "id", ""),
        (1, "Notes", "", "ignored"),
        (2, "", "", "no header"),
        (3, "Ticket Type", "", "a column of Eventbrite"),
    ]
    assert [use.name for use in shown.left_out] == ["Notes", "Ticket Type"]


def test_how_json_and_workbooks_were_read_is_described() -> None:
    shown = jsonl_input('{"id": 7}').description
    assert (shown.format, shown.encoding, shown.delimiter) == (Format.JSONL, "UTF-8", None)
    shown = made_input(workbook([["id"], [7]], "Guests"), "x").description
    assert (shown.format, shown.encoding, shown.sheet) == (Format.EXCEL, None, "Guests")


def test_remarks_name_the_first_rows_and_count_the_others() -> None:
    remarks = Remarks()
    for number in range(2, 2000):
        remarks.add("odd", number)
    remarks.add("odd", 5)
    remarks.add("even", 5)
    assert remarks.texts() == (
        "rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 1,988 more: odd",
        "row 5: even",
    )
