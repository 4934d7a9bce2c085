"""Writes a contact as the platform's JSON, and reads one from a JSON object.

Source: the platform's page "Add or Update Contact".
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from attrs import fields
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from contactsdk.errors import InvalidContactError, Path
from contactsdk.models import Contact, CustomField, ExternalUrl
from contactsdk.models.parts import InvalidPart

_PLAIN_ID: Final = re.compile(r"[1-9][0-9]{0,17}")  # so that an id can be written in one way only

# Python's name of a field -> the platform's name, if they differ.
_RENAMED: Final = {
    "external_id": "externalId",
    "first_name": "firstName",
    "last_name": "lastName",
    "custom_fields": "customFields",
    "sms_status": "smsStatus",
    "update_if_exists": "updateIfExists",
    "external_urls": "externalUrls",
    "privacy_consent": "privacyConsent",
}


_converter: Final = Converter()

# orjson writes the rest itself: enums as numbers, tuples as lists, dates as yyyy-mm-dd. A hook of
# our own would be called for each field; cattrs omits the call for its identity hook.
_as_it_is: Final[Callable[[Any], Any]] = _converter.get_unstructure_hook(int)


def _write_external_url(part: ExternalUrl) -> dict[str, Any]:
    label = {} if part.label is None else {"label": part.label}
    return {"ref": part.ref, "url": part.url, **label}


_WRITTEN: Final[dict[str, Callable[[Any], Any]]] = {
    "groups": lambda ids: [{"groupId": id_} for id_ in ids],
    "custom_fields": lambda parts: [{"fieldId": p.field_id, "value": p.value} for p in parts],
    # null removes all links.
    "external_urls": lambda parts: [_write_external_url(part) for part in parts] or None,
}

_FIELDS: Final[tuple[str, ...]] = tuple(field.name for field in fields(Contact))

_OVERRIDES: Final[dict[str, Any]] = {
    name: override(rename=_RENAMED.get(name), unstruct_hook=_WRITTEN.get(name, _as_it_is))
    for name in _FIELDS
}

_unstructure: Final[Callable[[Contact], dict[str, Any]]] = make_dict_unstructure_fn(
    Contact, _converter, _cattrs_omit_if_default=True, **_OVERRIDES
)


def encode(contact: Contact) -> bytes:
    """The body of a request that adds or updates `contact`: compact JSON in UTF-8.

    Fields that are `None` are not in it.
    """
    return orjson.dumps(_unstructure(contact))


def contact_to_json(contact: Contact) -> dict[str, Any]:
    """The JSON object that is sent for `contact`, with the platform's names; a new dict each time.

    Fields that are `None` are not in it. `contact_from` makes an equal contact of it, except for
    dates: JSON has none, so they become text, `yyyy-mm-dd`.
    """
    written: dict[str, Any] = orjson.loads(encode(contact))
    return written


FIELD_NAMES: Final[Mapping[str, str]] = {
    spelling.casefold(): name for name in _FIELDS for spelling in (name, _RENAMED.get(name, name))
}
"""The platform's or Python's name of a field in lower case -> Python's name."""


def contact_from(row: Mapping[str, Any]) -> Contact:
    """The contact that a JSON object describes, in the shape of the platform's JSON.

    Keys are the platform's names of fields or Python's, in upper or lower case. `groups` may be a
    list of ids, and `customFields` a mapping of id to value. `None` means absent, except in
    `externalUrls`, where it removes all links.

    Raises:
        InvalidContactError: A key is unknown or given twice, a value is wrong, or the row is not a
            mapping. Its `errors` use the platform's names of fields if the row does.
    """
    if not isinstance(row, Mapping):
        raise InvalidContactError([((), "must be a JSON object")])
    values: dict[str, Any] = {}
    problems = []
    for key, value in row.items():
        name = FIELD_NAMES.get(key.casefold()) if isinstance(key, str) else None
        if name is None:
            problems.append(((str(key),), "is not a field of a contact"))
        elif name in values:
            problems.append(((str(key),), "is given twice"))
        else:
            values[name] = _READ.get(name, _as_it_is)(value)
    try:
        contact = Contact(**values)
    except InvalidContactError as error:
        errors = in_the_names_of(row, error.errors)
        raise InvalidContactError([*problems, *errors]) from None
    if problems:
        raise InvalidContactError(problems)
    return contact


def in_the_names_of(
    names: Iterable[Any], errors: Iterable[tuple[Path, str]]
) -> list[tuple[Path, str]]:
    """These errors, with the platform's names of fields if `names` has one of those."""
    spelled = {name for name in names if isinstance(name, str)}
    if spelled.isdisjoint(_RENAMED.values()) or not spelled.isdisjoint(_RENAMED):
        return list(errors)
    return in_platform_names(errors)


def in_platform_names(errors: Iterable[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """These errors, with the platform's names of fields."""
    return [
        # A group may also be a plain id, so the path of a group ends with its position.
        (path if path[:1] == ("groups",) else platform_path(path), what)
        for path, what in errors
    ]


def platform_name(field: str) -> str:
    """The platform's name of the field that has this name in Python."""
    return _RENAMED.get(field, field)


def platform_path(path: Path) -> Path:
    """The path in the platform's JSON for a path of `InvalidContactError.errors`."""
    match path:
        case ("groups", int(position)):
            return ("groups", position, "groupId")
        case ("custom_fields", position, "field_id"):
            return ("customFields", position, "fieldId")
        case (str(name), *inside):
            return (_RENAMED.get(name, name), *inside)
        case _:
            return path


def contacts_from(
    rows: Iterable[Mapping[str, Any]],
) -> Iterator[Contact | InvalidContactError]:
    """For each row in order, a contact, or the error that says what is wrong with the row.

    Rows are read lazily. They are mappings, as in a JSON Lines file: see `contact_from`. The result
    can be given to `add_or_update_many` and `stream`: a wrong row then becomes an outcome of its
    own.
    """
    for row in rows:
        try:
            yield contact_from(row)
        except InvalidContactError as error:
            yield error


def _read_groups(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return value
    return [_read_group(item) if isinstance(item, Mapping) else item for item in value]


def _read_group(item: Mapping[str, Any]) -> Any:
    problems = _key_problems(item, ("groupId",))
    if "groupId" not in item:
        problems.append((("groupId",), "is required"))
    return InvalidPart(tuple(problems)) if problems else item["groupId"]


def _read_custom_fields(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            int(key) if isinstance(key, str) and _PLAIN_ID.fullmatch(key) else key: item
            for key, item in value.items()
        }
    return _read_parts(value, CustomField, {"fieldId": "field_id", "value": "value"}, "value")


def _read_external_urls(value: Any) -> Any:
    names = {"ref": "ref", "url": "url", "label": "label"}
    return _read_parts(() if value is None else value, ExternalUrl, names, "url")


def _read_parts(value: Any, kind: Callable[..., Any], names: Mapping[str, str], needed: str) -> Any:
    if not isinstance(value, list | tuple):
        return value
    return [
        _read_part(item, kind, names, needed) if isinstance(item, Mapping) else item
        for item in value
    ]


def _read_part(
    item: Mapping[str, Any], kind: Callable[..., Any], names: Mapping[str, str], needed: str
) -> Any:
    problems = _key_problems(item, names)
    if needed not in item:
        problems.append(((names[needed],), "is required"))  # null is not absent here: it clears
    part = None
    try:
        part = kind(**{name: item.get(key) for key, name in names.items()})
    except InvalidContactError as error:
        problems += [problem for problem in error.errors if problem not in problems]
    return InvalidPart(tuple(problems), item.get("ref")) if problems else part


def _key_problems(item: Mapping[str, Any], known: Collection[str]) -> list[tuple[Path, str]]:
    what = f"is not a key of this object; known are {', '.join(known)}"
    return [((str(key),), what) for key in item if key not in known]


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "groups": _read_groups,
    "custom_fields": _read_custom_fields,
    "external_urls": _read_external_urls,
}
