"""Questions about the platform that no page answers, and the sandbox's answer to each.

The first answer of each `Literal` is the default. A client that works with every answer depends on
no guess.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self, get_args, get_type_hints

import attrs


def _guess(default: str, question: str) -> Any:
    return attrs.field(default=default, metadata={"question": question})


@attrs.frozen(kw_only=True)
class Guesses:
    """One answer to each question; `Guesses(custom_fields="replace")` changes one of them.

    Raises:
        ValueError: An answer is not one of the answers to its question.
    """

    # About writes.
    custom_fields: Literal["merge", "replace"] = _guess(
        "merge", "What happens to custom fields that the list in an update does not name?"
    )
    empty_custom_fields: Literal["clear", "keep"] = _guess(
        "clear", "What does an empty list of custom fields do to those that the contact has?"
    )
    empty_groups: Literal["clear", "keep"] = _guess(
        "clear", "What does an empty list of groups do to those that the contact has?"
    )
    empty_companies: Literal["clear", "keep"] = _guess(
        "clear", "What does an empty list of companies do to those that the contact has?"
    )
    empty_text: Literal["set", "keep", "refuse"] = _guess(
        "set", "What does an empty text do in a field that is not an email or a required name?"
    )
    null_text: Literal["refuse", "clear", "keep"] = _guess(
        "refuse", "What does null do as externalId, firstName, lastName, email or phone?"
    )
    null_list: Literal["refuse", "clear", "keep"] = _guess(
        "refuse", "What does null do as groups, customFields or companies?"
    )
    null_number: Literal["refuse", "clear", "keep"] = _guess(
        "refuse", "What does null do as status or smsStatus?"
    )
    null_boolean: Literal["refuse", "clear", "keep"] = _guess(
        "refuse", "What does null do as updateIfExists, privacyConsent or isAnonymised?"
    )
    null_custom_field: Literal["clear", "keep", "refuse"] = _guess(
        "clear", "What does null do as the value of a custom field?"
    )
    null_id: Literal["refuse", "absent"] = _guess("refuse", "What does null do as id?")
    repeated_add: Literal["add", "update", "refuse"] = _guess(
        "add", "What does an add do if another contact has its first name, last name and email?"
    )
    name_match: Literal["any_case", "exact"] = _guess(
        "any_case", "Are names and emails the same if they differ only in case?"
    )
    repeated_external_id: Literal["accept", "refuse"] = _guess(
        "accept", "May two contacts have the same externalId?"
    )
    unknown_parameters: Literal["refuse", "ignore"] = _guess(
        "refuse", "What happens to a parameter that no page names?"
    )
    sms_status: Literal["accept", "ignore", "refuse"] = _guess(
        "accept", "What happens to smsStatus, now that SMS marketing is gone?"
    )
    status_registering: Literal["accept", "refuse"] = _guess(
        "accept", "Is 4 (Registering) a status? One page says so, another does not."
    )
    static_text: Literal["refuse", "ignore"] = _guess(
        "refuse", "What happens to a value for a custom field of static text?"
    )
    unlisted_selection: Literal["refuse", "accept"] = _guess(
        "refuse", "May a select field be set to a value that its definition does not list?"
    )
    required_custom_fields: Literal["ignore", "enforce"] = _guess(
        "ignore", "Must an add have the custom fields whose definition says isRequired?"
    )
    unchanged_update: Literal["touch", "leave"] = _guess(
        "touch", "Does an update that changes nothing change modifiedDate?"
    )
    new_ids: Literal["ascending", "scattered"] = _guess(
        "ascending", "Is the id of a new contact larger than all ids given before?"
    )

    # About answers.
    error_status: Literal["mirrored", "200"] = _guess(
        "mirrored", "Which HTTP status does an error have: the number of its errorCode, or 200?"
    )
    stale_error_code: Literal["401", "400"] = _guess(
        "401", "Which errorCode does a stale date get (specificCode 23005)?"
    )
    unknown_contact_error_code: Literal["404", "400"] = _guess(
        "404", "Which errorCode does an unknown contact get (specificCode 24096)?"
    )
    codes: Literal["number", "text"] = _guess(
        "number", "Are errorCode and specificCode numbers, or texts?"
    )
    written_id: Literal["number", "text"] = _guess(
        "number", "Is the id in an answer to addOrUpdateContact a number, or a text?"
    )
    success_flag: Literal["sent", "left_out"] = _guess(
        "sent", 'Does an answer to addOrUpdateContact have "success": true beside the id?'
    )
    unset_fields: Literal["null", "left_out", "empty"] = _guess(
        "null", "How does a look-up show a field that was never set?"
    )
    timestamps: Literal["plain", "with_utc"] = _guess("plain", 'Does a timestamp end with " UTC"?')
    declared_lists: Literal["array", "wrapped"] = _guess(
        "array", "Are groups and custom fields listed in an array, or in meta and results?"
    )
    select_values: Literal["texts", "id_name", "value_label", "object"] = _guess(
        "texts", "How does the definition of a custom field list its selectValues?"
    )

    # About lists.
    filters: Literal["exact", "any_case", "ignored"] = _guess(
        "exact", "How does a filter of getContactList compare texts, if at all?"
    )
    unknown_filters: Literal["refuse", "ignore"] = _guess(
        "refuse", "What happens to a filter that no page names?"
    )
    modified_bounds: Literal["inclusive", "exclusive"] = _guess(
        "inclusive", "Do fromModifiedDate and toModifiedDate include contacts of that very second?"
    )
    list_order: Literal["id", "newest_first"] = _guess(
        "id", "Is a list sorted by id, or by modifiedDate with the newest first?"
    )

    # About batches.
    batch_order: Literal["as_sent", "shuffled"] = _guess(
        "as_sent", "In which order do the jobs of a batch run?"
    )
    batch_echo: Literal["as_sent", "normalised"] = _guess(
        "as_sent", "Do results repeat each request as it was sent?"
    )
    batch_restart: Literal["unfinished", "all"] = _guess(
        "unfinished", "Which jobs does restart run again?"
    )

    def __attrs_post_init__(self) -> None:
        for name, answers in ANSWERS.items():
            if getattr(self, name) not in answers:
                raise ValueError(f"{name} must be {_either(answers)}")

    @classmethod
    def read(cls, settings: Iterable[str]) -> Self:
        """The guesses with these settings, such as `empty_groups=keep`.

        If a name is there twice, the last setting counts.

        Raises:
            ValueError: There is no such guess, or it has no such answer.
        """
        changes = {}
        for setting in settings:
            name, _, answer = setting.partition("=")
            if name not in ANSWERS:
                raise ValueError(f"{name!r} is not a guess: it must be {_either(tuple(ANSWERS))}")
            changes[name] = answer
        return cls(**changes)  # type: ignore[arg-type]  # __attrs_post_init__ checks them


ANSWERS: Mapping[str, tuple[str, ...]] = {
    name: get_args(hint) for name, hint in get_type_hints(Guesses).items()
}
"""Name of a guess -> its possible answers, the default first."""

QUESTIONS: Mapping[str, str] = {
    field.name: field.metadata["question"] for field in attrs.fields(Guesses)
}
"""Name of a guess -> the question that it answers."""


def _either(answers: tuple[str, ...]) -> str:
    return f"{', '.join(answers[:-1])} or {answers[-1]}"
