import re
from html.parser import HTMLParser
from typing import Any

import pytest

from contactsdk.sandbox import Answer, Batch, Fault, FaultKind, FieldType, Job, Request
from contactsdk.sandbox.account import Account
from contactsdk.sandbox.contacts import Stored
from contactsdk.sandbox.custom_fields import FieldDefinition
from contactsdk.sandbox.page import SHOWN, Snapshot, page
from tests.sandbox.made import BOBBY, NOON, stored

EVIL = "<script>alert('x')</script>"


class Read(HTMLParser):
    """A page as a browser reads it: its tags with their attributes, and its cells by their name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: dict[str, list[str]] = {}
        self._cell: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "td" and (name := dict(attrs).get("data-name")):
            self._cell = name
            self.cells.setdefault(name, []).append("")
        if tag == "br" and self._cell:
            self.cells[self._cell][-1] += "|"

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.cells[self._cell][-1] += data


def shown(**given: Any) -> str:
    snapshot = {
        "url": "http://127.0.0.1:8080",
        "account": Account(),
        "refresh_s": 2,
        "contacts": [],
        "requests": [],
        "batches": [],
        **given,
    }
    for name in ("contact", "request", "batch"):
        plural = "batches" if name == "batch" else f"{name}s"
        snapshot.setdefault(f"{name}_count", len(snapshot[plural]))
    return page(Snapshot(**snapshot))


def request(**given: Any) -> Request:
    fields = {"number": 1, "action": "test?action=ping", "method": "POST", "headers": {}}
    return Request(**{**fields, "arrived_at": NOON, **given})


def test_contact_is_shown_with_its_fields() -> None:
    account = Account.declared(
        groups={10: "News"},
        custom_fields={
            1: FieldDefinition(field_type=FieldType.ADDRESS, display_name="Address"),
            2: FieldType.MULTIPLE_SELECT,
            3: FieldType.SMALL_TEXT,
            4: FieldType.WHOLE_NUMBER,
            5: FieldType.FILE,
        },
    )
    contact = stored(
        phone="123",
        externalId="crm-1",
        status=2,
        smsStatus=3,
        groups=[{"groupId": 10}, {"groupId": 11}],
        companies=[4, 5],
        customFields=[
            {"fieldId": 1, "value": {"line1": "1 High St", "city": "Hull"}},
            {"fieldId": 2, "value": ["Red", "Blue"]},
            {"fieldId": 3, "value": "No"},
            {"fieldId": 4, "value": 7},
            {"fieldId": 5, "value": [{"a": 1}]},
        ],
        externalUrls=[{"ref": "crm", "url": "https://example.com"}],
        privacyConsent=False,
    )
    cells = Read(shown(account=account, contacts=[contact])).cells
    assert cells == {
        "Id": ["1001"],
        "Name": ["Bobby Smith"],
        "Email": ["bobby@example.com"],
        "Phone": ["123"],
        "External id": ["crm-1"],
        "Status": ["Unsubscribed|SMS: Failed"],
        "Groups": ["News, 11"],
        "More": [
            "Address: 1 High St, Hull|Field 2: Red, Blue|Field 3: No|Field 4: 7"
            '|Field 5: [{"a":1}]|Companies: 4, 5|crm: https://example.com|Privacy consent: no'
        ],
        "Modified (UTC)": ["2026-11-23 12:00:00"],
    }


def test_request_is_shown_with_its_answer() -> None:
    answered = request(body=b'{"a": 1}', answer=Answer.SENT, status=200, answer_body=b'{"ack": 1}')
    cells = Read(shown(requests=[answered])).cells
    assert cells == {
        "No.": ["1"],
        "At (UTC)": ["2026-11-23 12:00:00"],
        "Action": ["test?action=ping"],
        "Outcome": ["200"],
        "Request": ['{"a": 1}'],
        "Answer": ['{"ack": 1}'],
    }


@pytest.mark.parametrize(
    ("given", "mood"),
    [
        ({"answer": Answer.SENT, "status": 200}, "good"),
        ({"answer": Answer.SENT, "status": 200, "error_code": 400}, "bad"),
        ({"answer": Answer.SENT, "status": 405}, "bad"),
        ({"answer": Answer.GONE}, "bad"),
        ({"answer": Answer.CLOSED, "fault": Fault(FaultKind.CLOSE_AFTER_WRITE)}, "fault"),
    ],
)
def test_outcome_has_the_colour_of_what_it_was(given: dict[str, Any], mood: str) -> None:
    tags = Read(shown(requests=[request(**given)])).tags
    assert ("span", {"class": mood}) in tags


def test_batch_is_shown_with_its_progress() -> None:
    jobs = [Job(namespace="contact", action="a", params={}, done=done) for done in (True, False)]
    batch = Batch(async_id="abc", number=1, request=3, jobs=tuple(jobs))
    text = shown(batches=[batch])
    read = Read(text)
    assert read.cells["Progress"] == [" 50 %"]
    assert (read.cells["asyncId"], read.cells["Jobs"]) == (["abc"], ["2"])
    assert ("progress", {"max": "100", "value": "50"}) in read.tags


def test_page_without_batches_does_not_speak_of_them() -> None:
    assert "Batch" not in shown()


def test_nothing_that_was_sent_becomes_a_tag() -> None:
    account = Account.declared(
        groups={10: EVIL},
        custom_fields={1: FieldDefinition(field_type=FieldType.FILE, display_name=EVIL)},
    )
    texts: dict[str, Any] = dict.fromkeys((*BOBBY, "phone", "externalId"), EVIL)
    contact = stored(
        **texts,
        groups=[{"groupId": 10}],
        customFields=[{"fieldId": 1, "value": EVIL}, {"fieldId": 2, "value": {EVIL: [EVIL]}}],
        externalUrls=[{"ref": "a", "url": f"https://{EVIL}", "label": EVIL}],
    )
    batch = Batch(
        async_id=EVIL, number=1, request=1, jobs=(Job(namespace="", action="", params={}),)
    )
    asked = request(action=EVIL, body=EVIL.encode(), answer_body=EVIL.encode())
    text = shown(account=account, contacts=[contact], requests=[asked], batches=[batch], url=EVIL)
    read = Read(text)
    assert EVIL not in text
    assert read.cells["Name"] == [f"{EVIL} {EVIL}"]
    assert "script" not in {tag for tag, _ in read.tags}
    assert not [name for _, attrs in read.tags for name in attrs if name.startswith("on")]


def test_page_asks_for_nothing_from_elsewhere() -> None:
    contact = stored(externalUrls=[{"ref": "a", "url": "https://example.com"}])
    tags = Read(shown(contacts=[contact])).tags
    addresses = [attrs[name] for _, attrs in tags for name in ("href", "src") if name in attrs]
    assert addresses == ["data:,", "/?refresh=off", "#contacts", "#requests"]
    assert "url(" not in shown()


def test_page_refreshes_itself_or_does_not() -> None:
    refresh = ("meta", {"http-equiv": "refresh", "content": "2"})
    assert refresh in Read(shown()).tags
    assert refresh not in Read(shown(refresh_s=None)).tags
    assert ("a", {"href": "/"}) in Read(shown(refresh_s=None)).tags


def test_page_says_how_much_of_all_it_shows() -> None:
    text = shown(contacts=[stored()] * SHOWN, contact_count=70)
    assert "(the newest 50 of 70)" in text
    assert "(3)" in shown(contacts=[stored()] * 3)


def test_empty_page_says_what_to_do() -> None:
    assert "contactsdk ping" in shown()
    assert "None yet." in shown()


def test_long_texts_are_cut() -> None:
    text = shown(requests=[request(body=b"x" * 10_000)])
    assert max(map(len, re.findall("x+", text))) == 600


def test_body_that_is_not_text_is_shown_nevertheless() -> None:
    assert Read(shown(requests=[request(body=b"\xff!")])).cells["Request"] == ["�!"]


def test_cleared_names_are_shown_as_nothing() -> None:
    contact = stored()
    bare = {name: value for name, value in contact.contact.items() if name not in BOBBY}
    bare_one = Stored(contact=bare, modified_at=NOON, joined_at={})
    cells = Read(shown(contacts=[bare_one])).cells
    assert cells == {"Id": ["1001"], "Modified (UTC)": ["2026-11-23 12:00:00"]}


def test_contact_that_is_there_several_times_is_marked() -> None:
    marked = shown(contacts=[stored()], namesakes={1001: [1002, 1003, 1004, 1005]})
    assert Read(marked).cells["Name"] == ["Bobby Smith|same as 1002, 1003, 1004 and more"]
    assert "same as 1002<" in shown(contacts=[stored()], namesakes={1001: [1002]})


@pytest.mark.parametrize(
    ("number", "refresh_s", "links", "title"),
    [
        (1, 2, ["/?page=2"], "the newest 50 of 120"),
        (2, 2, ["/", "/?page=3"], "51 to 100 of 120, the newest first"),
        (3, None, ["/?refresh=off&page=2"], "101 to 120 of 120, the newest first"),
        (2, None, ["/?refresh=off", "/?refresh=off&page=3"], "51 to 100"),
    ],
)
def test_other_pages_of_contacts_are_linked(
    number: int, refresh_s: int | None, links: list[str], title: str
) -> None:
    text = shown(
        contacts=[stored()], contact_count=120, page_number=number, last_page=3, refresh_s=refresh_s
    )
    targets = [attributes["href"] for tag, attributes in Read(text).tags if tag == "a"]
    assert targets[-len(links) :] == links
    assert title in text


def test_refreshing_is_stopped_on_the_page_that_is_shown() -> None:
    text = shown(contacts=[stored()], contact_count=120, page_number=2, last_page=3)
    assert 'href="/?refresh=off&amp;page=2">Stop refreshing' in text
