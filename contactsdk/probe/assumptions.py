"""The SDK's assumptions about the platform, which a probe checks one by one."""

from typing import Final

from attrs import frozen


@frozen(kw_only=True)
class Assumption:
    """An assumption of the SDK or of its sandbox about the platform."""

    name: str
    """A short name, which the report uses."""
    question: str
    """The question that the assumption answers."""
    assumed: str
    """The answer that is assumed."""
    promise: str = ""
    """The promise of the README that fails if the answer is another one; empty if the SDK works
    with any answer."""


@frozen(kw_only=True)
class Finding:
    """The result of a probe for one assumption."""

    assumption: Assumption
    """The assumption that was checked."""
    seen: str | None
    """The answer that the platform showed; `None` if it could not be tried."""
    detail: str = ""
    """A detail for the reader, such as `after 1.5 s`; it does not affect the result."""

    @property
    def is_as_assumed(self) -> bool:
        """Whether the platform showed the assumed answer, or could not be asked."""
        return self.seen is None or self.seen == self.assumption.assumed


def _of(name: str, question: str, assumed: str, promise: str = "") -> Assumption:
    return Assumption(name=name, question=question, assumed=assumed, promise=promise)


_CLEARS: Final = "an empty collection clears the field"
_SETTLES: Final = "an uncertain contact is found by looking it up (settling)"
_HEALS: Final = "a wrong clock is corrected without a failure"
_SAFE: Final = "an add with update_if_exists may be sent again safely"
_BATCHES: Final = "contacts may be sent in batches"
_REFUSED: Final = "a contact that the platform refuses is a RejectedError, and the run goes on"
_NAMES: Final = "a list may name groups and custom fields instead of their ids"

ASSUMPTIONS: Final[tuple[Assumption, ...]] = (
    _of("timestamps", 'Does a timestamp end with " UTC"?', "plain"),
    _of("clock", "How far apart are the clocks?", "less than 5 minutes"),
    _of("stale_date", "How is a wrong date answered?", "specificCode 23005", _HEALS),
    _of("stale_error_code", "Which errorCode does a wrong date get?", "401"),
    _of("stale_date_healed", "Does the answer's Date header correct the clock?", "yes", _HEALS),
    _of("error_status", "Which HTTP status does an error have?", "mirrored"),
    _of("codes", "Are error codes numbers or texts?", "number"),
    _of("unknown_contact_error_code", "Which errorCode does an unknown id get?", "404"),
    _of("unknown_contact", "Which specificCode does an unknown id get?", "24096", _REFUSED),
    _of("groups", "May the key ask for groups?", "yes", _NAMES),
    _of("fields", "May the key ask for custom fields?", "yes", _NAMES),
    _of("declared_lists", "How are groups and custom fields listed?", "array"),
    _of("select_values", "How are the options of a select listed?", "texts"),
    _of("written_id", "Is the id of an answer a number or a text?", "number"),
    _of("success_flag", 'Does an answer hold "success"?', "sent"),
    _of("unset_fields", "How is a field that was never set shown?", "null"),
    _of("list_lag", "When does a list show a new contact?", "within 10 s", _SETTLES),
    _of("new_ids", "Is a new id above all others?", "ascending", _SETTLES),
    _of("list_order", "How is a list sorted?", "id"),
    _of("filters", "How does a filter compare texts?", "exact"),
    _of("unknown_filters", "What happens to an unknown filter?", "refuse"),
    _of("modified_bounds", "Does fromModifiedDate include its second?", "inclusive"),
    _of("update", "Does an update change its field?", "yes", "an update changes its fields"),
    _of("empty_text", "What does an empty text do?", "set", "an empty text empties the field"),
    _of("null_text", "What does null do to a text?", "refuse"),
    _of("null_list", "What does null do to a list?", "refuse"),
    _of("null_number", "What does null do to a number?", "refuse"),
    _of("null_boolean", "What does null do to a boolean?", "refuse"),
    _of("null_id", "What does an id of null do?", "refuse"),
    _of("empty_groups", "What does an empty list of groups do?", "clear", _CLEARS),
    _of("custom_fields", "What becomes of custom fields that are not named?", "merge"),
    _of(
        "null_custom_field",
        "What does null do to a custom field?",
        "clear",
        "a custom field of None is emptied",
    ),
    _of("empty_custom_fields", "What does an empty list of custom fields do?", "clear", _CLEARS),
    _of("static_text", "May a static text be set?", "refuse"),
    _of("unlisted_selection", "May a select be set to an option that it lacks?", "refuse"),
    _of("status_registering", "May a status be 4?", "accept", "the status REGISTERING may be sent"),
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
"""All assumptions that a probe checks, in the order of the report."""
