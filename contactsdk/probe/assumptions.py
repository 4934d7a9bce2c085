"""What the SDK assumes of the platform; the table that a probe fills in."""

from typing import Final

from attrs import frozen


@frozen(kw_only=True)
class Assumption:
    """Something about the platform that the SDK, or its sandbox, takes to be so."""

    name: str
    """A short name, as in the report."""
    question: str
    """What is assumed about."""
    assumed: str
    """The answer that is assumed."""
    promise: str = ""
    """What does not hold if it is otherwise; empty where the SDK works either way."""


@frozen(kw_only=True)
class Finding:
    """What was seen of one assumption."""

    assumption: Assumption
    """What it is about."""
    seen: str | None
    """What was seen; `None` where it could not be tried."""
    detail: str = ""
    """How exactly, such as `after 1.5 s`; nothing rests on it."""

    @property
    def is_as_assumed(self) -> bool:
        """Whether nothing speaks against the assumption."""
        return self.seen is None or self.seen == self.assumption.assumed


def _of(name: str, question: str, assumed: str, promise: str = "") -> Assumption:
    return Assumption(name=name, question=question, assumed=assumed, promise=promise)


_CLEARS: Final = "an empty collection clears the field"
_SETTLES: Final = "an uncertain contact is found by looking for it (settling)"
_HEALS: Final = "a clock that is wrong is put right without a failure"
_SAFE: Final = "an add with update_if_exists may be sent again safely"
_BATCHES: Final = "contacts may be sent in batches"
_REFUSED: Final = "a contact that the platform refuses is a RejectedError, and the run goes on"
_NAMES: Final = "a list may name groups and custom fields instead of their ids"

ASSUMPTIONS: Final[tuple[Assumption, ...]] = (
    _of("timestamps", 'Does a timestamp end with " UTC"?', "plain"),
    _of("clock", "How far apart are the clocks?", "less than 5 minutes"),
    _of("stale_date", "What does a wrong date get?", "specificCode 23005", _HEALS),
    _of("stale_error_code", "Which errorCode has a wrong date?", "401"),
    _of("stale_date_healed", "Does the answer's Date header put the clock right?", "yes", _HEALS),
    _of("error_status", "Which HTTP status has an error?", "mirrored"),
    _of("codes", "Are error codes numbers or texts?", "number"),
    _of("unknown_contact_error_code", "Which errorCode has an unknown id?", "404"),
    _of("unknown_contact", "Which specificCode has an unknown id?", "24096", _REFUSED),
    _of("groups", "May the key ask for groups?", "yes", _NAMES),
    _of("fields", "May the key ask for custom fields?", "yes", _NAMES),
    _of("declared_lists", "How are groups and custom fields listed?", "array"),
    _of("select_values", "How are the options of a select listed?", "texts"),
    _of("written_id", "Is the id of an answer a number or a text?", "number"),
    _of("success_flag", 'Does an answer hold "success"?', "sent"),
    _of("unset_fields", "How is a field shown that was never set?", "null"),
    _of("list_lag", "When does a list show a new contact?", "within 10 s", _SETTLES),
    _of("new_ids", "Is a new id above all others?", "ascending", _SETTLES),
    _of("list_order", "In which order is a list?", "id"),
    _of("filters", "How does a filter compare texts?", "exact"),
    _of("unknown_filters", "What happens to an unknown filter?", "refuse"),
    _of("modified_bounds", "Does fromModifiedDate include its second?", "inclusive"),
    _of("update", "Does an update change its field?", "yes", "an update changes what it names"),
    _of("empty_text", "What does an empty text do?", "set", 'the text "" is sent, and empties'),
    _of("null_text", "What does null do to a text?", "refuse"),
    _of("null_list", "What does null do to a list?", "refuse"),
    _of("null_number", "What does null do to a number?", "refuse"),
    _of("null_boolean", "What does null do to a boolean?", "refuse"),
    _of("null_id", "Is an id of null none?", "refuse"),
    _of("empty_groups", "What does an empty list of groups do?", "clear", _CLEARS),
    _of("custom_fields", "What becomes of custom fields that are not named?", "merge"),
    _of(
        "null_custom_field",
        "What does null do to a custom field?",
        "clear",
        "a custom field of None is emptied",
    ),
    _of("empty_custom_fields", "What does an empty list of them do?", "clear", _CLEARS),
    _of("static_text", "May a static text be set?", "refuse"),
    _of("unlisted_selection", "May a select be set to what it does not list?", "refuse"),
    _of("status_registering", "Is 4 a status?", "accept", "the status REGISTERING may be sent"),
    _of("sms_status", "Is smsStatus still kept?", "accept", "the field sms_status is kept"),
    _of("unknown_parameters", "What happens to an unknown parameter?", "refuse"),
    _of("wrong_group", "What does an unknown group get?", "400/23016", _REFUSED),
    _of("wrong_email", "What does a wrong email get?", "400/23016", _REFUSED),
    _of("update_if_exists", "Does updateIfExists find its contact?", "yes", _SAFE),
    _of("unchanged_update", "Does an update of nothing change modifiedDate?", "touch"),
    _of("batch", "May the key run batches?", "yes", _BATCHES),
    _of("batch_order", "In which order do the jobs of a batch run?", "as_sent"),
    _of("batch_echo", "Do results repeat requests as they were sent?", "as_sent"),
    _of("throttled", "What does a 429 look like?", "429, Retry-After in seconds"),
)
"""All that a probe looks at, in this order."""
