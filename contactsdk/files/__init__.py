"""Contacts from CSV and JSON Lines, and what became of each row to files again.

Files are read and written row by row, so memory does not follow their size. A row's `cells` are as
in the file, so that what is written back is what was read, bytes that are not UTF-8 included.
"""

from contactsdk.files.csv_input import CsvInput
from contactsdk.files.distinct import STANDARD, check_files_differ
from contactsdk.files.formats import FileError, Format, Row, format_of
from contactsdk.files.inputs import Input, open_input, standard_input
from contactsdk.files.json_lines_input import JsonLinesInput
from contactsdk.files.outputs import Outputs, ResultsWriter, RowsWriter, open_outputs
from contactsdk.files.results import Result, State, not_started, result_of, result_of_record

__all__ = [
    "STANDARD",
    "CsvInput",
    "FileError",
    "Format",
    "Input",
    "JsonLinesInput",
    "Outputs",
    "Result",
    "ResultsWriter",
    "Row",
    "RowsWriter",
    "State",
    "check_files_differ",
    "format_of",
    "not_started",
    "open_input",
    "open_outputs",
    "result_of",
    "result_of_record",
    "standard_input",
]
