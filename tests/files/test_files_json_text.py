import io
from collections.abc import Iterator

import pytest

from contactsdk.files import FileError
from contactsdk.files.formats import Row
from contactsdk.files.json_text import DuplicateKeyError, json_rows, parsed


def rows_of(text: str) -> Iterator[Row]:
    return json_rows(io.StringIO(text, newline=""), "x.json")


def texts_of(text: str) -> list[str]:
    return [row.cells[0] for row in rows_of(text)]


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("", []),
        (" \r\n\n", []),
        ('{"a": 1}\n\n {"b": 2} \r\n', ['{"a": 1}', '{"b": 2}']),
        ('{"a": 1},\n{"b": 2}\n', ['{"a": 1},', '{"b": 2}']),
        ("nonsense\n{}\n", ["nonsense", "{}"]),
        ("[]", []),
        ('[{"a": 1}, {"b": [2]}]', ['{"a": 1}', '{"b": [2]}']),
        ('[\n{"a": 1},\n{"b": 2}\n]\n', ['{"a": 1}', '{"b": 2}']),
        ('[\n  {\n    "a": 1\n  }\n]', ['{\n    "a": 1\n  }']),
        ('{\n "a": 1\n}\n{\n "b": 2\n}\n', ['{\n "a": 1\n}', '{\n "b": 2\n}']),
        ("[1, 2,]", ["1", "2"]),
        ('{"a": [\n1]}', ['{"a": [\n1]}']),
    ],
)
def test_objects_are_found(text: str, texts: list[str]) -> None:
    assert texts_of(text) == texts


def test_rows_of_lines_are_numbered_by_their_line() -> None:
    assert [(row.line, row.number) for row in rows_of("\n{}\n\n{}\n")] == [(2, 2), (4, 4)]


def test_items_of_an_array_are_numbered_by_their_place() -> None:
    rows = list(rows_of('\n[\n{"a":\n1}, {},\n\n{}]'))
    assert [(row.line, row.number) for row in rows] == [(3, 1), (4, 2), (6, 3)]


def test_item_may_be_longer_than_what_is_read_at_once() -> None:
    items = [f'{{"a": "{"x" * 50_000}", "b": {number}}}' for number in range(5)]
    assert texts_of(f"[{', '.join(items)}]") == items
    assert texts_of("[\n" + "1" * 70_000 + "]") == ["1" * 70_000]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"contacts": [{"firstName": "Ada"}]}', "under the key 'contacts'"),
        ('{"meta": {}, "a": [], "results": [{}]}\n', "under the key 'results'"),
        ('{\n"contacts": [\n{"firstName": "Ada"}\n]\n}', "under the key 'contacts'"),
        ('[{"a": 1}', "the array at the start of the file is not closed"),
        ('[{"a": 1}]\n{"b": 2}', "line 2: there is text after the end of the array"),
        ('[{"a": 1},\n{"b": }]', "line 2: this is not JSON"),
        ("[" * 100_000, "line 1: this is not JSON"),
    ],
)
def test_text_that_is_not_a_list_of_objects_is_refused(text: str, what: str) -> None:
    with pytest.raises(FileError) as caught:
        list(rows_of(text))
    assert what in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        '{"id": 7, "customFields": [{"fieldId": 1, "value": 2}]}',
        '{"tags": ["a"]}',
        '{"tags": []}',
        "[1]"[1:2],
        "{" + '"a":[' * 9_999 + "]" * 9_999 + "}",
    ],
)
def test_object_that_is_not_a_list_stays_one(line: str) -> None:
    assert texts_of(f"{line}\n") == [line]


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"b": {"a": 1, "a": 1}}]'])
def test_key_that_is_there_twice_is_an_error(text: str) -> None:
    with pytest.raises(DuplicateKeyError) as caught:
        parsed(text)
    assert caught.value.key == "a"


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_json_is_an_error(constant: str) -> None:
    with pytest.raises(ValueError, match=f"{constant} is not JSON"):
        parsed(f'{{"a": {constant}}}')
