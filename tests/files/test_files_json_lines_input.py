import json

import pytest
from examples import a_contact
from files.made import errors, items, jsonl_input, written_back

from contactsdk import Contact


def test_json_lines_are_read_in_either_spelling():
    text = (
        '\ufeff{"firstName": "Ada", "LAST_NAME": "Archer", "email": "ada@example.com"}\r\n'
        ' \n{"id": 7, "groups": [], "customFields": {"1": [2]}, "externalUrls": null}'
    )
    source = jsonl_input(text)
    rows = list(source)
    assert [row.line for row in rows] == [1, 3]
    assert [source.item(row) for row in rows] == [
        a_contact(),
        Contact(id=7, groups=[], custom_fields={1: [2]}, external_urls=[]),
    ]


@pytest.mark.parametrize(
    ("line", "path", "what"),
    [
        ("{", (), "the line is not JSON (see column 2)"),
        ("[1]", (), "must be a JSON object"),
        ('{"id": 7, "fone": "1"}', ("fone",), "is not a field of a contact; to let a key "),
        ('{"id": 7, "ID": 8}', ("ID",), "is there twice"),
        ('{"id": "7"}', ("id",), "must be a positive integer"),
        ('{"id": 99999999999999999999}', ("id",), "must be a positive integer"),
        ('{"id": 7, "phone": "\\ud800"}', ("phone",), "must not hold lone surrogates"),
        (b'{"id": 7, "phone": "\xff"}', (), "the line is not UTF-8 text: save the file as UTF-8"),
        ('{"id": 7, "customFields": {"1": NaN}}', ("custom_fields", 0, "value"), "must be a "),
        ("[" * 100_000, (), "the line is JSON beyond what can be read"),
        ('{"id": ' + "9" * 5000 + "}", (), "the line is JSON beyond what can be read"),
    ],
)
def test_json_line_that_makes_no_contact_is_its_rows_failure(line, path, what):
    [item] = items(jsonl_input(line))
    assert list(errors(item)) == [path]
    assert errors(item)[path].startswith(what)


def test_integer_past_64_bits_is_not_sent_as_something_else():
    [item] = items(jsonl_input('{"id": 7, "customFields": {"1": 123456789012345678901234567890}}'))
    assert errors(item) == {("custom_fields", 0, "value"): "must fit in 64 bits"}


def test_ignored_keys_are_let_pass():
    [item] = items(jsonl_input('{"id": 7, "Message": "x", "NOTES": "y"}', ["notes"]))
    assert item == Contact(id=7)


@pytest.mark.parametrize(
    ("line", "back"),
    [
        ('{"id": 7, "phone": "ü"}', '{"id": 7, "phone": "ü", "message": "why"}'),
        ('{"message": "old", "id": 7}', '{"id": 7, "message": "why"}'),
        ("{}", '{"message": "why"}'),
        ("[1]", '{"line": "[1]", "message": "why"}'),
        ("{", '{"line": "{", "message": "why"}'),
        ('{"id": 1e999}', '{"line": "{\\"id\\": 1e999}", "message": "why"}'),
        ('{"phone": "\\ud800"}', '{"phone": "\\ud800", "message": "why"}'),
        (b'{"phone": "\xff"}', '{"phone": "\\udcff", "message": "why"}'),
    ],
)
def test_json_line_is_written_back_with_a_message(line, back):
    assert written_back(jsonl_input(line)) == back + "\n"


def test_nesting_that_cannot_be_read_is_written_back_as_text():
    deep = "[" * 100_000
    assert json.loads(written_back(jsonl_input(deep))) == {"line": deep, "message": "why"}
