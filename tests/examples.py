"""Contacts and answers that several test files use, and Hypothesis strategies for them."""

import datetime
import json
from typing import Any

from hypothesis import strategies as st

from contactsdk.models import Contact, CustomField, EmailStatus, ExternalUrl, SmsStatus


def a_contact(**changes: Any) -> Contact:
    """A contact to add with only what is required, but for `changes`."""
    required = {"first_name": "Ada", "last_name": "Archer", "email": "ada@example.com"}
    return Contact(**{**required, **changes})


def an_update(**changes: Any) -> Contact:
    """A contact to update with only its id, but for `changes`."""
    return Contact(**{"id": 7, **changes})


def a_link(**changes: Any) -> ExternalUrl:
    return ExternalUrl(**{"ref": "crm", "url": "https://crm.example.com/7", **changes})


def a_full_contact() -> Contact:
    """A contact with every field set."""
    return Contact(
        id=33884,
        external_id="ext-1",
        first_name="Ada",
        last_name="Archer",
        email="ada@example.com",
        phone="+61 400 000 000",
        groups=[10, 11],
        custom_fields={33443: "No", 33444: ["red", "blue"]},
        companies=[4, 5],
        status=EmailStatus.UNSUBSCRIBED,
        sms_status=SmsStatus.FAILED,
        update_if_exists=False,
        external_urls=[a_link(label="CRM")],
        privacy_consent=True,
    )


def nested(depth: int) -> Any:
    """An empty list within `depth` lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def strict_json(body: bytes) -> Any:
    """What `body` holds, read by another library than the one that wrote it, by the letter."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(body.decode("utf-8", "strict"), parse_constant=refuse)


# Every character that a JSON file can bring, lone surrogates too.
any_text = st.text(st.characters(), max_size=8)

any_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**66), 2**66)
    | st.floats()
    | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=8,
)

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
_ids = st.integers(1, 2**63 - 1)

sendable_json: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=8,
)

_links = st.lists(
    st.builds(
        ExternalUrl,
        ref=_name,
        url=st.none() | st.sampled_from(["https://example.com/a?b=c#d", "https://é.example.com/ü"]),
        label=st.none() | _text,
    ),
    max_size=3,
    unique_by=lambda link: link.ref,
)


def contacts(values: st.SearchStrategy[Any] = sendable_json) -> st.SearchStrategy[Contact]:
    """Contacts to add and to update, with custom fields of `values`."""
    email = st.sampled_from(["ada@example.com", "b.o+b@example.test", "ünï@exämple.com"])
    fields = st.lists(st.builds(CustomField, field_id=_ids, value=values), max_size=3)
    optional: dict[str, st.SearchStrategy[Any]] = {
        "external_id": _text,
        "phone": _text,
        "groups": st.lists(_ids, max_size=3),
        "custom_fields": fields,
        "companies": st.lists(_ids, max_size=3),
        "status": st.sampled_from(EmailStatus),
        "sms_status": st.sampled_from(SmsStatus),
        "update_if_exists": st.booleans(),
        "external_urls": _links,
        "privacy_consent": st.booleans(),
    }
    named = {"first_name": _name, "last_name": _name, "email": email}
    adds = st.fixed_dictionaries(named, optional=optional)
    updates = st.fixed_dictionaries({"id": _ids}, optional={**named, **optional})
    return (adds | updates).map(lambda values: Contact(**values))


dates = st.dates(datetime.date.min, datetime.date.max)

utc_times = st.datetimes(
    datetime.datetime(1970, 1, 1), datetime.datetime(9999, 12, 31), timezones=st.just(datetime.UTC)
)
