"""Contacts from CSV and JSON Lines, and what became of each row to files again.

Files are read and written row by row, so memory does not follow their size. A row's `cells` are as
in the file, so that what is written back is what was read, bytes that are not UTF-8 included.
"""

from contactsdk.files.csv_input import CsvInput
from contactsdk.files.distinct import STANDARD, check_files_differ
from contactsdk.files.formats import FileError, Format, Row, format_of
from contactsdk.files.inputs import Input, open_input, standard_input
from contactsdk.files.json_lines_input import JsonLinesInput
from contactsdk.files.layout import HasLayout, Layout, layout_of
from contactsdk.files.outputs import (
    OutputNames,
    Outputs,
    check_output_names,
    open_outputs,
    open_text,
)
from contactsdk.files.results import (
    Result,
    State,
    invalid,
    message_of,
    not_started,
    result_of,
    result_of_record,
)
from contactsdk.files.writers import MergedWriter, ResultsWriter, RowsWriter, safe_cell

__all__ = [
    "STANDARD",
    "CsvInput",
    "FileError",
    "Format",
    "HasLayout",
    "Input",
    "JsonLinesInput",
    "Layout",
    "MergedWriter",
    "OutputNames",
    "Outputs",
    "Result",
    "ResultsWriter",
    "Row",
    "RowsWriter",
    "State",
    "check_files_differ",
    "check_output_names",
    "format_of",
    "invalid",
    "layout_of",
    "message_of",
    "not_started",
    "open_input",
    "open_outputs",
    "open_text",
    "result_of",
    "result_of_record",
    "safe_cell",
    "standard_input",
]
