"""Reads contacts from CSV, JSON and workbooks, and writes the result of each row to files.

Files are read and written row by row, so memory does not grow with their size. The exception is a
workbook, of which one sheet is read as a whole. A row's `cells` hold the text of the file, so a row
is written back as it was read.
"""

from contactsdk.files.column_plan import ColumnUse
from contactsdk.files.custom_values import KnownNames
from contactsdk.files.description import Description
from contactsdk.files.distinct import STANDARD, check_files_differ, kept_as
from contactsdk.files.formats import MESSAGE, FileError, Format, HeaderError, Row, format_of
from contactsdk.files.inputs import Input, open_input, read_input, spooled_standard_input
from contactsdk.files.options import InputOptions, input_options
from contactsdk.files.output_files import open_text
from contactsdk.files.outputs import (
    OutputNames,
    Outputs,
    check_output_names,
    open_outputs,
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
    "MESSAGE",
    "STANDARD",
    "ColumnUse",
    "Description",
    "FileError",
    "Format",
    "HeaderError",
    "Input",
    "InputOptions",
    "KnownNames",
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
    "input_options",
    "invalid",
    "kept_as",
    "message_of",
    "not_started",
    "open_input",
    "open_outputs",
    "open_text",
    "read_input",
    "result_of",
    "result_of_record",
    "safe_cell",
    "spooled_standard_input",
]
