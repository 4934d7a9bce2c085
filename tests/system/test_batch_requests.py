"""Batches as they go over the wire, read by nothing of the SDK or the sandbox."""

import hashlib
import hmac
import json
from typing import Any

from contactsdk import Contact, ContactClient, Credentials, UncertainError
from tests.examples import a_contact, strict_json
from tests.raw_server import CLOSE, REQUEST, RawServer, Request, Script, answer

KEY, SECRET = "a-key", "a secret"
ITEMS = [
    a_contact(external_id="1", groups=[10]),
    a_contact(last_name="Bäcker", email="b@example.com", external_id="2"),
    Contact(id=77, phone="1"),
    a_contact(first_name="Cy", email="c@example.com", update_if_exists=True),
]
SENT: list[dict[str, Any]] = [
    {
        "firstName": "Ada",
        "lastName": "Archer",
        "email": "ada@example.com",
        "externalId": "1",
        "groups": [{"groupId": 10}],
    },
    {"firstName": "Ada", "lastName": "Bäcker", "email": "b@example.com", "externalId": "2"},
    {"id": 77, "phone": "1"},
    {"firstName": "Cy", "lastName": "Archer", "email": "c@example.com", "updateIfExists": True},
]


def results(async_id: str, *pairs: tuple[dict[str, Any], Any]) -> bytes:
    """The answer with the results of a batch, spelled as another program may spell it."""
    jobs = [
        {
            "namespace": "contact",
            "action": "addOrUpdateContact",
            "request": dict(reversed(request.items())),
            "response": response,
        }
        for request, response in pairs
    ]
    return answer(json.dumps({"asyncId": async_id, "results": jobs}, indent=1).encode())


def headers_of(request: Request) -> tuple[str, dict[str, str]]:
    """The target of a request, and its headers by their names in lower case."""
    first, *lines = request.head.decode().rstrip("\r\n").split("\r\n")
    method, target, version = first.split(" ")
    assert (method, version) == ("POST", "HTTP/1.1")
    pairs = (line.split(": ", 1) for line in lines)
    return target, {name.lower(): value for name, value in pairs}


def check_signature(request: Request) -> None:
    target, headers = headers_of(request)
    digest = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
    assert headers["content-md5"] == digest
    date = headers["ivvy-date"]
    signed = f"post{digest}{headers['content-type']}{target}1.0ivvydate={date}".lower()
    signature = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha1).hexdigest()
    assert headers["x-api-authorization"] == f"IWS {KEY}:{signature}"


async def test_batches_go_out_as_the_platform_documents_them() -> None:
    script: Script = [
        REQUEST,
        answer(b'{"asyncId": "first"}'),
        REQUEST,
        results("first", (SENT[0], {"id": 5, "success": True})),
        REQUEST,
        answer(b'{"asyncId": 42}'),
        REQUEST,
        answer(b'{"errorCode": 400, "specificCode": 24114, "message": "not yet"}', "400 Bad"),
        REQUEST,
        results(
            "42",
            (SENT[1], {"id": "6"}),
            (SENT[2], {"errorCode": "404", "specificCode": "24096", "message": "no such contact"}),
            (SENT[3], {"id": 8}),
        ),
    ]
    with RawServer(script) as server:
        async with ContactClient(server.url, Credentials(KEY, SECRET)) as client:
            report = await client.add_or_update_many(ITEMS, batch_size=200, concurrency=1)

    assert [outcome.id for outcome in report.outcomes] == [5, 6, None, 8]
    assert report.outcomes[2].message == "no such contact"
    for request in server.requests:
        check_signature(request)
    targets = [headers_of(request)[0] for request in server.requests]
    run, fetch = "/api/1.0/batch?action=run", "/api/1.0/batch?action=results"
    assert targets == [run, fetch, run, fetch, fetch]
    bodies = [strict_json(request.body) for request in server.requests]
    job = {"namespace": "contact", "action": "addOrUpdateContact"}
    assert bodies[0] == {"jobs": [{**job, "params": SENT[0]}]}
    assert bodies[1] == {"async": "first"}
    assert bodies[2] == {"jobs": [{**job, "params": sent} for sent in SENT[1:]]}
    assert bodies[3] == bodies[4] == {"async": "42"}


async def test_connection_that_breaks_after_a_batch_was_sent_doubles_no_add() -> None:
    first: Script = [
        REQUEST,
        answer(b'{"asyncId": "first"}'),
        REQUEST,
        results("first", (SENT[0], {"id": 5})),
        REQUEST,
        CLOSE,
    ]
    again: Script = [
        REQUEST,
        answer(b'{"asyncId": "again"}'),
        REQUEST,
        results("again", (SENT[2], {"id": 77}), (SENT[3], {"id": 8})),
    ]
    with RawServer(first, again) as server:
        async with ContactClient(server.url, Credentials(KEY, SECRET)) as client:
            report = await client.add_or_update_many(ITEMS, batch_size=200, concurrency=1)

    assert [outcome.id for outcome in report.outcomes] == [5, None, 77, 8]
    assert isinstance(report.outcomes[1].error, UncertainError)
    last = strict_json(server.requests[3].body)
    assert [job["params"] for job in last["jobs"]] == SENT[2:]
