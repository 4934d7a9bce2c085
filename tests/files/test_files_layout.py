from files.made import csv_input, jsonl_input

from contactsdk.files import HasLayout, Layout, layout_of


class Described:
    """An input that says itself how it was read."""

    layout = Layout(encoding="Windows-1252")


def test_input_that_says_how_it_was_read_is_believed():
    assert isinstance(Described(), HasLayout)
    assert layout_of(Described()) == Layout(encoding="Windows-1252")


def test_json_lines_have_no_columns():
    assert layout_of(jsonl_input('{"id": 7}\n')) == Layout()


def test_columns_of_csv_and_those_that_are_left_out_are_named():
    source = csv_input("First Name;customFields.5;note;;message\n", ["note"])
    assert layout_of(source) == Layout(
        delimiter=";",
        columns=(("First Name", "first_name"), ("customFields.5", "custom_fields.5")),
        left_out=("note", ""),
    )


def test_line_break_in_a_header_is_part_of_it():
    assert layout_of(csv_input('"phone","no\nte"\n', ["no\nte"])).left_out == ("no\nte",)
