"""Inputs made of text, and what is read from them, for the tests of files."""

import io

from contactsdk import InvalidContactError
from contactsdk.bulk import Outcome
from contactsdk.files import CsvInput, JsonLinesInput

NAMES = "first_name,last_name,email"
ADA = "Ada,Archer,ada@example.com"


def csv_input(text, ignored=()):
    data = text if isinstance(text, bytes) else text.encode()
    return CsvInput(io.BytesIO(data), "x.csv", ignored)


def jsonl_input(text, ignored=()):
    data = text if isinstance(text, bytes) else text.encode()
    return JsonLinesInput(io.BytesIO(data), "x.jsonl", ignored)


def items(source):
    return [source.item(row) for row in source]


def lines(source):
    return [row.line for row in source]


def errors(item):
    assert isinstance(item, InvalidContactError)
    return dict(item.errors)


def written_back(source, message="why"):
    return source.head() + "".join(source.with_message(row, message) for row in source)


def outcome(error=None, *, id=None, attempts=1):
    return Outcome(index=0, contact=None, id=id, error=error, attempts=attempts, elapsed_s=0.0)
