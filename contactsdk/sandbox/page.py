"""The HTML page that shows what has arrived; it has no script and loads nothing; pure."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import attrs
import orjson

from contactsdk.sandbox.account import Account
from contactsdk.sandbox.batches import Batch
from contactsdk.sandbox.contacts import Stored
from contactsdk.sandbox.ledger import Answer, Request, outcome_of
from contactsdk.sandbox.timestamps import timestamp

SHOWN = 50
"""How many contacts, requests and batches the page shows at most."""

_TEXT_MAX = 600
_NAMESAKES_SHOWN = 3
_MODIFIED = "Modified (UTC)"
_EMAIL_STATUS = ("Subscribed", "Unsubscribed", "Bounced", "Registering", "No Marketing")
_SMS_STATUS = ("Subscribed", "Unsubscribed", "Failed", "No Marketing")


@attrs.frozen(kw_only=True)
class Snapshot:
    """The content of the page; each sequence has the newest first, and only what is shown."""

    url: str
    account: Account
    refresh_s: int | None
    """After how many seconds the browser reloads the page; `None` for never."""
    page_number: int = 1
    """The number of the page of contacts that is shown, from 1."""
    last_page: int = 1
    """How many pages of contacts there are."""
    contacts: Sequence[Stored]
    namesakes: Mapping[int, Sequence[int]] = attrs.Factory(dict)
    """Id of a contact -> the ids of other contacts with the same names and email."""
    requests: Sequence[Request]
    batches: Sequence[Batch]
    contact_count: int
    request_count: int
    batch_count: int


def page(snapshot: Snapshot) -> str:
    """The whole page."""
    refresh = snapshot.refresh_s
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    other = _address(snapshot, refreshes=not refresh)
    link = f'<a href="{other}">{"Stop refreshing" if refresh else "Refresh by itself"}</a>'
    sections = (
        _section(
            "Contacts",
            snapshot.contact_count,
            _contacts(snapshot) + _pages(snapshot),
            _NO_CONTACT,
            first=SHOWN * (snapshot.page_number - 1) + 1,
        ),
        _section("Batches", snapshot.batch_count, _batches(snapshot.batches), ""),
        _section("Requests", snapshot.request_count, _requests(snapshot.requests), _NO_REQUEST),
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>contactsdk sandbox</title><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body><header><h1>contactsdk sandbox</h1>"
        f"<p>The platform on this machine, at <code>{escape(snapshot.url)}</code> {link}</p>"
        f"<nav>{_links(snapshot)}</nav></header><main>{''.join(sections)}</main></body></html>"
    )


def _links(snapshot: Snapshot) -> str:
    counts = (
        ("Contacts", snapshot.contact_count),
        ("Batches", snapshot.batch_count),
        ("Requests", snapshot.request_count),
    )
    return " ".join(
        f'<a href="#{title.lower()}">{title}: {count}</a>'
        for title, count in counts
        if count or title != "Batches"
    )


def _address(snapshot: Snapshot, *, refreshes: bool, number: int | None = None) -> str:
    """The address of page `number` of the contacts; with `None`, of the page that is shown."""
    number = number or snapshot.page_number
    settings = [
        *(() if refreshes else ["refresh=off"]),
        *([f"page={number}"] if number > 1 else ()),
    ]
    return f"/?{'&amp;'.join(settings)}" if settings else "/"


def _pages(snapshot: Snapshot) -> str:
    """Links to the pages with newer and older contacts."""
    refreshes = bool(snapshot.refresh_s)
    links = [
        f'<a href="{_address(snapshot, refreshes=refreshes, number=number)}">{text}</a>'
        for number, text in (
            (snapshot.page_number - 1, "Newer contacts"),
            (snapshot.page_number + 1, "Older contacts"),
        )
        if 1 <= number <= snapshot.last_page
    ]
    return f'<p class="pages">{" ".join(links)}</p>' if links else ""


def _section(title: str, count: int, table: str, nothing: str, first: int = 1) -> str:
    if not count:
        return (
            f'<section id="{title.lower()}"><h2>{title}</h2><p>{nothing}</p></section>'
            if nothing
            else ""
        )
    shown = f"the newest {SHOWN} of {count}" if count > SHOWN else str(count)
    if first > 1:
        shown = f"{first} to {min(first + SHOWN - 1, count)} of {count}, the newest first"
    return (
        f'<section id="{title.lower()}"><h2>{title} <small>({shown})</small></h2>{table}</section>'
    )


_NO_CONTACT = "None yet."
_NO_REQUEST = (
    "None yet. Set CONTACTSDK_URL, CONTACTSDK_KEY and CONTACTSDK_SECRET as printed at the start, "
    "and try <code>contactsdk ping</code>."
)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already; on a narrow screen each row becomes a card."""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-name="{name}">{cell}</td>' if cell else '<td class="empty"></td>'
            for name, cell in zip(heads, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _contacts(snapshot: Snapshot) -> str:
    heads = ("Id", "Name", "Email", "Phone", "External id", "Status", "Groups", "More", _MODIFIED)
    return _table(heads, (_contact(it, snapshot) for it in snapshot.contacts))


def _contact(stored: Stored, snapshot: Snapshot) -> Sequence[str]:
    contact, account = stored.contact, snapshot.account
    names = account.groups or {}
    groups = (item["groupId"] for item in contact.get("groups", ()))
    return (
        str(stored.contact_id),
        _text(f"{contact.get('firstName', '')} {contact.get('lastName', '')}")
        + _doubled(snapshot.namesakes.get(stored.contact_id, ())),
        _text(contact.get("email", "")),
        _text(contact.get("phone", "")),
        _text(contact.get("externalId", "")),
        _statuses(contact),
        _text(", ".join(names.get(group, str(group)) for group in groups)),
        "<br>".join(_more(contact, account)),
        timestamp(stored.modified_at),
    )


def _doubled(others: Sequence[int]) -> str:
    """A note that other contacts have the same names and email; empty if none have."""
    if not others:
        return ""
    shown = ", ".join(map(str, others[:_NAMESAKES_SHOWN]))
    more = " and more" if len(others) > _NAMESAKES_SHOWN else ""
    return f'<br><span class="fault" title="the same names and email">same as {shown}{more}</span>'


def _statuses(contact: Mapping[str, Any]) -> str:
    parts = []
    if contact.get("status"):
        parts.append(_EMAIL_STATUS[contact["status"] - 1])
    if contact.get("smsStatus"):
        parts.append(f"SMS: {_SMS_STATUS[contact['smsStatus'] - 1]}")
    return "<br>".join(parts)


def _more(contact: Mapping[str, Any], account: Account) -> Iterable[str]:
    for field in contact.get("customFields", ()):
        name = account.display_name(field["fieldId"])
        yield f"{_text(name)}: {_text(_value(field['value']))}"
    if contact.get("companies"):
        yield f"Companies: {', '.join(map(str, contact['companies']))}"
    for url in contact.get("externalUrls", ()):
        # Not a link: nobody should open an address that a stranger may have sent.
        yield f"{_text(url.get('label') or url['ref'])}: {_text(url['url'])}"
    if "privacyConsent" in contact:
        yield f"Privacy consent: {'yes' if contact['privacyConsent'] else 'no'}"


def _batches(batches: Sequence[Batch]) -> str:
    rows = (
        (
            str(batch.number),
            f"<code>{escape(batch.async_id)}</code>",
            str(len(batch.jobs)),
            f'<progress max="100" value="{batch.progress}"></progress> {batch.progress} %',
            str(batch.request),
        )
        for batch in batches
    )
    return _table(("Batch", "asyncId", "Jobs", "Progress", "Request"), rows)


def _requests(requests: Sequence[Request]) -> str:
    rows = (
        (
            str(request.number),
            timestamp(request.arrived_at),
            _text(request.action),
            f'<span class="{_mood(request)}">{_text(outcome_of(request))}</span>',
            _code(request.body),
            _code(request.answer_body),
        )
        for request in requests
    )
    return _table(("No.", "At (UTC)", "Action", "Outcome", "Request", "Answer"), rows)


def _mood(request: Request) -> str:
    if request.fault is not None:
        return "fault"
    is_good = request.answer is Answer.SENT and request.error_code is None and request.status == 200
    return "good" if is_good else "bad"


def _text(text: str) -> str:
    cut = text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]} ..."
    return escape(cut.strip())


def _code(body: bytes | None) -> str:
    return f"<code>{_text(body.decode('utf-8', 'replace'))}</code>" if body else ""


def _value(value: Any) -> str:
    """A custom field's value as text; an address or a list is shown without JSON punctuation."""
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(parts, str):
        return parts
    try:
        return ", ".join(parts)
    except TypeError:
        return orjson.dumps(value).decode()


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 90rem; padding: 1rem; }
h1 { font-size: 1.3rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
header p { margin: .2rem 0; }
header a { margin-left: .6rem; white-space: nowrap; }
small { font-weight: normal; opacity: .7; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .5rem; text-align: left;
  vertical-align: top; overflow-wrap: break-word; }
section { overflow-x: auto; }
th { font-size: .8rem; white-space: nowrap; }
td { min-width: 3.5rem; }
td[data-name="At (UTC)"], td[data-name="Modified (UTC)"], td[data-name="Id"] {
  font-variant-numeric: tabular-nums; white-space: nowrap; }
code, td[data-name="More"], td[data-name="Outcome"] { overflow-wrap: anywhere; }
td[data-name="Name"] { min-width: 9rem; }
td[data-name="More"] { min-width: 14rem; }
.pages a { margin-right: 1rem; }
code { font: .8rem/1.4 ui-monospace, monospace; }
nav a { margin: 0 .8rem 0 0; }
.good { color: #1a7f37; } .bad { color: #cf222e; } .fault { color: #9a6700; }
@media (prefers-color-scheme: dark) {
  .good { color: #57ab5a; } .bad { color: #f47067; } .fault { color: #daaa3f; }
}
@media (max-width: 48rem) {
  thead { display: none; }
  table, tbody, tr, td { display: block; width: 100%; }
  tr { background: var(--soft); border: 1px solid var(--line); border-radius: .4rem;
    margin-bottom: .6rem; padding: .3rem; }
  td, td[data-name="Name"], td[data-name="More"] { border: 0; min-width: 0; padding: .1rem .3rem; }
  td.empty { display: none; }
  td::before { content: attr(data-name) ": "; font-size: .8rem; opacity: .7; }
}
"""
