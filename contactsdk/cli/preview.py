"""What `contactsdk import` shows before it sends anything."""

from collections.abc import Iterator
from typing import Final

from contactsdk.cli.duplicates import Shared
from contactsdk.cli.reasons import rows_text
from contactsdk.cli.recorded import Recorded
from contactsdk.cli.shown_contact import contact_lines, field_shown
from contactsdk.cli.survey import Survey
from contactsdk.cli.text import printable
from contactsdk.files import Description, Input, KnownNames
from contactsdk.files.formats import OURS

_DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_OUR_ID: Final = f"{OURS}id"
_SHORT_REASONS: Final = 3
_MANY_ROWS: Final = 10_000


def full_preview(
    name: str,
    address: str,
    source: Input,
    survey: Survey,
    names: KnownNames,
    *,
    recorded: Recorded | None,
    in_batches: bool,
) -> str:
    """The text that a dry run shows; it is for the owner of the input, and holds contacts' values.

    `address` is the address that contacts would be sent to; empty if it is not known. `names` has
    the account's groups and custom fields. `recorded` is the journal that the run would have.
    """
    description = source.description
    lines = [f"{name}: {_how_it_was_read(description)}".rstrip(": ")]
    used = [
        (printable(use.name), printable(field_shown(use.holds, names)))
        for use in description.columns
        if use.column
    ]
    width = max((len(header) for header, _ in used), default=0)
    lines += [f"  {header:<{width}}  ->  {field}" for header, field in used]
    if description.left_out:
        left_out = (f"{use.name} ({use.reason})" for use in description.left_out)
        lines.append(f"Left out: {', '.join(map(printable, left_out))}")
    for number, contact in survey.first:
        lines += ["", f"Row {number} would be sent as:"]
        lines += [f"  {line}" for line in contact_lines(contact, names)]
    lines += ["", *counts(survey)]
    if survey.invalid_rows:
        lines += ["", "Invalid:"]
        lines += survey.invalid.lines()
    if noted := notes(source, survey, recorded=recorded, in_batches=in_batches):
        lines += ["", *noted]
    where = f"It would go to {printable(address)}" if address else "No address is set"
    lines += ["", f"This was a dry run: nothing was sent. {where}."]
    return "\n".join(lines)


def short_preview(
    name: str, source: Input, survey: Survey, *, recorded: Recorded | None, in_batches: bool
) -> str:
    """The text that an import shows before it sends; it holds no value of a contact.

    `recorded` says which rows the journal of the run already has; `None` without a journal.
    """
    lines = [f"{name}: {_how_it_was_read(source.description)}".rstrip(": ")]
    lines += counts(survey)
    if survey.invalid_rows:
        lines += ["Invalid, and not sent:", *survey.invalid.lines(_SHORT_REASONS)]
    lines += notes(source, survey, recorded=recorded, in_batches=in_batches)
    if recorded is not None and recorded.rows:
        lines.append(printable(recorded.text(survey.rows)))
    return "\n".join(lines)


def notes(
    source: Input, survey: Survey, *, recorded: Recorded | None, in_batches: bool
) -> list[str]:
    """A line for each thing in the input that the user may not intend, such as double rows.

    `recorded` is the journal of the run; `None` without a journal.
    """
    texts = [*source.warnings(), *_warnings(survey, recorded)]
    if survey.adds and any(use.name.strip() == _OUR_ID for use in source.description.left_out):
        texts.append(
            f"the column {_OUR_ID}, which has the ids that an earlier run wrote, is left out: to "
            f"update those contacts instead of adding them again, use --map {_OUR_ID}=id."
        )
    if survey.rows > _MANY_ROWS and not in_batches:
        texts.append(
            f"{survey.rows:,} rows are many to send one by one: --batch-size 200 needs about a "
            'hundredth of the requests. See "Batches" in the README for what it changes.'
        )
    return [f"Note: {printable(text)}" for text in texts]


def counts(survey: Survey) -> list[str]:
    """How many rows there are, add, update or are invalid: a line for each count above 0."""
    found = (
        (survey.rows, "row", "rows"),
        (survey.adds, "add", "adds"),
        (survey.updates, "update", "updates"),
        (
            survey.updates_if_exist,
            "add, or update of a contact with the same name and email",
            "adds, or updates of contacts with the same name and email",
        ),
        (survey.invalid_rows, "invalid", "invalid"),
    )
    width = max(len(f"{count:,}") for count, _, _ in found)
    return [
        f"{count:>{width},} {one if count == 1 else more}" for count, one, more in found if count
    ]


def _warnings(survey: Survey, recorded: Recorded | None) -> Iterator[str]:
    if survey.adds and recorded is None:
        yield (
            f"each time you run this, {_contacts(survey.adds)} added again, even if the platform "
            "has them already. To update those instead, use --update-if-exists; to be able to "
            "continue this run if it ends early, use --journal FILE."
        )
    elif survey.adds and recorded is not None and recorded.is_new:
        yield (
            f"{recorded.name} is a new journal, which knows of no earlier import: "
            f"{_contacts(survey.adds)} added, even if the platform has them already. If you "
            "imported them before, use --update-if-exists; if that import had a journal which you "
            "have moved or renamed, name it with --journal."
        )
    yield from _shared(
        survey.same_person, "the same name and email; each adds a contact of its own"
    )
    yield from _shared(
        survey.same_person_updated,
        "the same name and email; they become one contact; later rows replace its values",
    )
    yield from _shared(survey.same_external_id, "the same external id")
    if survey.with_groups:
        yield (
            f"{_rows(survey.with_groups)} groups; these replace all groups that the contact is in "
            "now."
        )
    if survey.bare_phones:
        are = (
            "1 phone is a number"
            if survey.bare_phones == 1
            else (f"{survey.bare_phones:,} phones are numbers")
        )
        rows = rows_text(survey.first_bare_phones, survey.bare_phones)
        yield f"{are} without a leading 0 or +; a spreadsheet may have removed it: {rows}."
    if survey.resubscribing:
        yield (
            f"{_rows(survey.resubscribing)} a status that subscribes the contact; that subscribes "
            "people again who have unsubscribed."
        )


def _shared(shared: Shared, what: str) -> Iterator[str]:
    if not shared.rows:
        return
    groups = "; ".join(rows_text(rows, len(rows)) for rows in shared.first)
    more = " and more" if shared.keys > len(shared.first) else ""
    yield f"{shared.rows:,} rows have {what}: {groups}{more}."


def _rows(count: int) -> str:
    return "1 row has" if count == 1 else f"{count:,} rows have"


def _contacts(count: int) -> str:
    return "1 contact is" if count == 1 else f"{count:,} contacts are"


def _how_it_was_read(description: Description) -> str:
    parts = []
    if description.vendor is not None:
        parts.append(f"an export of {description.vendor}")
    if description.is_compressed:
        parts.append("compressed")
    if description.encoding is not None:
        parts.append(description.encoding)
    if description.delimiter is not None:
        delimiter = description.delimiter
        parts.append(f"divided by {_DELIMITERS.get(delimiter, repr(delimiter))}")
    if description.sheet is not None:
        parts.append(f"sheet {printable(description.sheet)}")
    return ", ".join(parts)
