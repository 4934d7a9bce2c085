"""What the types of the public names promise.

mypy and basedpyright read this file when the checks run; nothing executes it.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=error

import datetime
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, assert_never, assert_type

import aiohttp
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from contactsdk import (
    AuthenticationError,
    BulkReport,
    Contact,
    ContactClient,
    ContactError,
    Credentials,
    CustomField,
    EmailStatus,
    ExternalUrl,
    InvalidContactError,
    Item,
    JournalError,
    JournalRow,
    OnProgress,
    Outcome,
    OutcomeStream,
    Progress,
    RateLimitedError,
    RejectedError,
    RetryPolicy,
    SetupError,
    SmsStatus,
    SqliteJournal,
    State,
    UnavailableError,
    UncertainError,
    contacts_from,
)
from contactsdk.integrations.fastapi import (
    CONTACT_PROBLEM_RESPONSES,
    ContactBody,
    ContactClientDep,
    add_contact_error_handlers,
    contact_client,
    contact_lifespan,
)
from contactsdk.integrations.problems import Problem, problem_from
from contactsdk.integrations.starlette import contact_client_of
from contactsdk.sandbox import Sandbox


def a_contact_takes_wide_and_keeps_narrow(ids: Iterator[int], row: dict[int, Any]) -> None:
    contact = Contact(
        id=1,
        external_id="12345",
        groups=ids,
        companies={4, 5},
        custom_fields=row,
        status=1,
        sms_status=SmsStatus.SUBSCRIBED,
        update_if_exists=True,
        external_urls=[ExternalUrl(ref="crm", url=None)],
        privacy_consent=None,
    )
    Contact(custom_fields=[CustomField(field_id=1, value=datetime.date.max)])
    assert_type(contact.id, int | None)
    assert_type(contact.first_name, str | None)
    assert_type(contact.groups, tuple[int, ...] | None)
    assert_type(contact.companies, tuple[int, ...] | None)
    assert_type(contact.custom_fields, tuple[CustomField, ...] | None)
    assert_type(contact.external_urls, tuple[ExternalUrl, ...] | None)
    assert_type(contact.status, EmailStatus | None)
    assert_type(contact.sms_status, SmsStatus | None)
    assert_type(contact.update_if_exists, bool | None)


def a_contact_is_frozen_and_keyword_only(contact: Contact) -> None:
    contact.phone = ""  # type: ignore[misc]
    Contact(1)  # type: ignore[call-arg]
    Contact(group=[1])  # type: ignore[call-arg]
    Contact(groups=5)  # type: ignore[arg-type]


def a_client_takes(session: aiohttp.ClientSession, tracing: Sequence[aiohttp.TraceConfig]) -> None:
    url = "https://api.ap-southeast-2.ivvy.com"
    ContactClient(url)
    ContactClient(url, Credentials("key", "secret"), session=session)
    ContactClient(url, None, retry=RetryPolicy(deadline_s=None), timeout_s=5, trace_configs=tracing)
    assert_type(ContactClient.from_env(), ContactClient)


class OwnClient(ContactClient):
    pass


async def a_call_gives(client: ContactClient, contact: Contact) -> None:
    assert_type(await client.add_or_update(contact), int)
    assert_type(await client.add_or_update(contact, deadline_s=5), int)
    assert_type(await client.ping(), datetime.datetime)
    assert_type(await client.find(external_id="12345"), tuple[int, ...])
    assert_type(OwnClient.from_env(), OwnClient)
    async with OwnClient.from_env() as own:
        assert_type(own, OwnClient)


async def many_contacts_come_from_anything(
    client: ContactClient,
    several: list[Contact],
    rows: Iterable[Mapping[str, Any]],
    arriving: AsyncIterator[Contact],
) -> None:
    assert_type(contacts_from(rows), Iterator[Contact | InvalidContactError])
    assert_type(await client.add_or_update_many(several), BulkReport)
    await client.add_or_update_many(contacts_from(rows), concurrency=8, rate_per_s=2.5)
    await client.add_or_update_many(arriving, on_progress=show)
    await client.add_or_update_many(several, journal=SqliteJournal("run.journal"))
    await client.add_or_update_many(rows)  # type: ignore[arg-type]


def show(progress: Progress) -> None:
    assert_type(progress.read, int)
    assert_type(progress.rate_per_s, float)


async def what_is_handed_through_has_a_type(
    client: ContactClient, items: list[Item], on_progress: OnProgress
) -> None:
    items.append(InvalidContactError([(("email",), "is required")]))
    await client.add_or_update_many(items, on_progress=on_progress)
    items.append("Ada Archer")  # type: ignore[arg-type]


async def a_stream_gives_outcomes(client: ContactClient, contacts: list[Contact]) -> None:
    assert_type(client.stream(contacts), OutcomeStream)
    async with client.stream(contacts) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome)
        assert_type(await outcomes.next(), Outcome | None)
        assert_type(outcomes.stopped_by, Exception | None)
        assert_type(outcomes.undelivered, tuple[Outcome, ...])


def a_report_tells(report: BulkReport) -> None:
    assert_type(report.outcomes, tuple[Outcome, ...])
    assert_type(report.ids, tuple[int, ...])
    assert_type(report.failures, tuple[Outcome, ...])
    assert_type(report.uncertain, tuple[Outcome, ...])
    assert_type(report.messages, Mapping[str, int])
    assert_type(report.stopped_by, Exception | None)


def an_outcome_narrows(outcome: Outcome) -> str:
    match outcome:
        case Outcome(id=int(contact_id)):
            assert_type(contact_id, int)
            return f"contact {contact_id}"
        case Outcome(error=UncertainError() as error):
            assert_type(error, UncertainError)
            return f"look for {error.message}"
        case Outcome(error=InvalidContactError(errors=errors)):
            assert_type(errors, tuple[tuple[tuple[str | int, ...], str], ...])
            return f"{len(errors)} fields are wrong"
        case Outcome(contact=contact, error=error):
            assert_type(contact, Contact | None)
            assert_type(error, ContactError | None)
            return outcome.message


def an_outcomes_error_narrows(outcome: Outcome) -> str:
    match outcome.error:
        case None:
            return "added or updated"
        case UncertainError() | UnavailableError() as error:
            assert_type(error, UncertainError | UnavailableError)
            return "not now"
        case ContactError() as error:
            assert_type(error, ContactError)
            return error.message
        case _:
            assert_never(outcome.error)


def an_item_narrows(item: Item) -> str:
    match item:
        case Contact():
            return repr(item)
        case InvalidContactError():
            return item.message
        case _:
            assert_never(item)


def a_state_narrows(row: JournalRow) -> bool:
    assert_type(row.error, ContactError | None)
    match row.state:
        case State.SUCCEEDED | State.REJECTED | State.INVALID | State.UNCERTAIN:
            return True
        case State.SENT | State.NOT_APPLIED | State.WAITING:
            return False
        case _:
            assert_never(row.state)


def a_journal_gives_rows(journal: SqliteJournal) -> None:
    assert_type(journal.rows(), Iterator[JournalRow])


def an_error_narrows(
    error: InvalidContactError
    | RejectedError
    | SetupError
    | RateLimitedError
    | UnavailableError
    | UncertainError,
) -> float | None:
    match error:
        case InvalidContactError() | RejectedError():
            assert_type(error.additional_messages, tuple[str, ...])
        case AuthenticationError():
            assert_type(error, AuthenticationError)
        case SetupError():
            assert_type(error.http_status, int | None)
        case RateLimitedError(retry_after_s=wait_s) | UnavailableError(retry_after_s=wait_s):
            assert_type(wait_s, float | None)
            return wait_s
        case UncertainError():
            assert_type(error.error_code, int | str | None)
            assert_type(error.specific_code, int | None)
            assert_type(error.attempts, int)
        case _:
            assert_never(error)
    return None


def an_invalid_contact_is_a_value_error(error: InvalidContactError) -> ValueError:
    return error


def a_journals_error_is_no_contacts(error: JournalError) -> ContactError:
    return error  # type: ignore[return-value]


async def a_sandbox_is_entered() -> None:
    async with Sandbox() as sandbox:
        assert_type(sandbox, Sandbox)
        assert_type(sandbox.url, str)


async def a_test_gets(contact_client: ContactClient, contact_sandbox: Sandbox) -> None:
    """The types of the fixtures of `contactsdk.pytest_plugin`."""
    contact_id = await contact_client.add_or_update(Contact(id=1))
    assert_type(contact_sandbox.contacts[contact_id], Mapping[str, Any])


def a_problem_has(error: ContactError) -> None:
    problem = problem_from(error)
    assert_type(problem, Problem)
    assert_type(problem.status, int)
    assert_type(problem.headers, Mapping[str, str])
    assert_type(problem.document, Mapping[str, Any])
    assert_type(problem.body, bytes)


starlette_app = Starlette(lifespan=contact_lifespan)
add_contact_error_handlers(starlette_app)


def a_connection_has(connection: HTTPConnection) -> None:
    assert_type(contact_client_of(connection), ContactClient)


app = FastAPI(lifespan=contact_lifespan, responses=CONTACT_PROBLEM_RESPONSES)
add_contact_error_handlers(app)
app.dependency_overrides[contact_client] = ContactClient.from_env


@app.post("/contacts")
async def a_route_gets(contact: ContactBody, client: ContactClientDep) -> int:
    assert_type(contact, Contact)
    assert_type(client, ContactClient)
    return await client.add_or_update(contact)


@app.get("/contacts")
async def a_route_returns() -> ContactBody:
    return Contact(id=1)
