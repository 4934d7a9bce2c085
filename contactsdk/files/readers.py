"""Chooses the reader for the cells of a column."""

import datetime

from attrs import field, frozen

from contactsdk.files.cells import READERS, CellError, CellReader, name_of, text_of
from contactsdk.files.columns import Column
from contactsdk.files.custom_values import KnownNames, groups_reader, reader_of
from contactsdk.files.emails import email_of


@frozen(kw_only=True)
class Readers:
    """Chooses the reader of a column by what the column holds."""

    names: KnownNames = field(factory=KnownNames)
    """The account's groups and custom fields; a custom field is read by its type."""
    day_zero: datetime.date | None = None
    """The day from which a workbook counts dates; `None` for text, where a number is no date."""

    def of(self, column: Column) -> CellReader:
        """The reader of this column's cells; a full name becomes a dict of both names."""
        match column.field:
            case "email":
                return email_of
            case "full_name":
                return _full_name_reader(str(column.key))
            case "custom_fields" if isinstance(column.key, int):
                if column.part is not None:
                    return text_of
                return reader_of(column.key, self.names, self.day_zero)
            case "groups" if (groups := self.names.groups) is not None:
                return groups_reader(groups)
        return READERS.get(column.field, text_of)


def _full_name_reader(order: str) -> CellReader:
    names = order.split()

    def read(cell: str) -> dict[str, str] | None:
        text = name_of(cell)
        if text is None:
            return None
        if "," in text:
            raise CellError("must not have a comma: put first and last name in two columns")
        start, _, end = text.rpartition(" ")
        if not start:
            raise CellError("must be a first and a last name with a blank between them")
        return dict(zip(names, (start.strip(), end), strict=True))

    return read
