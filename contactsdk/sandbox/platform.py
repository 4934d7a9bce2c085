"""Executes the platform's actions and returns their answers; no I/O."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

import attrs
import orjson

from contactsdk.sandbox.batches import Batch, Batches
from contactsdk.sandbox.contacts import Contacts
from contactsdk.sandbox.custom_fields import is_whole
from contactsdk.sandbox.faults import JobFault
from contactsdk.sandbox.ledger import Ledger, Write
from contactsdk.sandbox.listing import ContactIndex, contact_list
from contactsdk.sandbox.replies import (
    RefusedError,
    UnsuccessfulError,
    internal_error,
    invalid,
    missing,
    raced,
)
from contactsdk.sandbox.rivals import Rivals
from contactsdk.sandbox.timestamps import timestamp
from contactsdk.sandbox.validation import Rules, contact_id_of, is_id
from contactsdk.sandbox.views import contact_alone, custom_field_definitions, subscription_groups

ADD_OR_UPDATE = "contact?action=addOrUpdateContact"
RUN_BATCH = "batch?action=run"
REPOST_BATCH = "batch?action=repost"
PING = "test?action=ping"


@attrs.frozen(kw_only=True)
class Origin:
    """The origin of a call of an action: a request, or a job of a batch."""

    request: int
    batch: Batch | None = None
    job: int | None = None


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in the body of a request; NaN and infinities are not JSON.

    Raises:
        RefusedError: 400 if the body is anything else.
    """
    try:
        params = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise RefusedError(400, "The body is not JSON") from exc
    if not isinstance(params, dict):
        raise RefusedError(400, "The body must be a JSON object")
    return params


class Platform:
    """One account on the platform, with all actions that a client can call.

    `clock` returns epoch seconds. Writes are recorded in `ledger`. `on_completed` is called with
    each batch that is completed or has to be posted again.
    """

    def __init__(
        self,
        rules: Rules,
        clock: Callable[[], float],
        ledger: Ledger,
        *,
        batch_rate_per_s: Callable[[], float | None] = lambda: None,
        list_lag_s: Callable[[], float] = lambda: 0.0,
        per_page_max: int = 100,
        hidden_in_lists: Collection[str] = (),
        denied: Mapping[str, int] = MappingProxyType({}),
        on_completed: Callable[[Batch], None] = lambda _: None,
    ) -> None:
        self._per_page_max = per_page_max
        self._hidden_in_lists = hidden_in_lists
        self._denied = denied
        self.index = ContactIndex(clock, list_lag_s)
        self.contacts = Contacts(rules, clock, self.index.put)
        self.rivals = Rivals(self.contacts, ledger)
        self.batches = Batches(rules.guesses, self._execute, batch_rate_per_s)
        self._rules = rules
        self._clock = clock
        self._ledger = ledger
        self._on_completed = on_completed
        self._actions: Mapping[str, Callable[[dict[str, Any], Origin, float], Any]] = {
            ADD_OR_UPDATE: self._add_or_update,
            "contact?action=getContact": self._get_contact,
            "contact?action=getContactList": self._get_contact_list,
            "contact?action=getSubscriptionGroupList": self._get_groups,
            "contact?action=getCustomFieldDefinition": self._get_custom_fields,
            "contact?action=addContactsToSubscriptionGroup": self._join_group,
            RUN_BATCH: self._run_batch,
            "batch?action=progress": lambda params, _, now: self.batches.progress(params, now),
            "batch?action=results": lambda params, _, now: self.batches.results(params, now),
            "batch?action=restart": lambda params, _, now: self.batches.restart(params, now),
            REPOST_BATCH: self._repost_batch,
            PING: self._ping,
        }

    def clear(self) -> None:
        """Forget contacts and batches."""
        self.contacts.clear()
        self.index.clear()
        self.batches.clear()

    def has(self, action: str) -> bool:
        """Whether there is this action."""
        return action in self._actions

    def call(self, action: str, body: bytes, origin: Origin, now: float) -> Any:
        """Execute an action that `has` knows, and return its answer as a JSON value.

        Raises:
            RefusedError, UnsuccessfulError: The action was not executed.
        """
        if action in self._denied:
            raise RefusedError(self._denied[action], "The API key has no access to this action")
        params = read_object(body or b"{}") if action in _WITHOUT_BODY else read_object(body)
        return self._actions[action](params, origin, now)

    def advance(self) -> None:
        """Execute all jobs of batches that are due now."""
        for batch in self.batches.advance(self._clock()):
            self._on_completed(batch)

    def write(self, params: Mapping[str, Any], origin: Origin) -> int:
        """Write one contact, record the write, and return the contact's id.

        Raises:
            RefusedError, UnsuccessfulError: Nothing was written.
        """
        rival = self.rivals.before(params)
        change = self.contacts.add_or_update(params)
        self._ledger.writes.append(
            Write(
                number=len(self._ledger.writes) + 1,
                contact_id=change.contact_id,
                body=params,
                request=origin.request,
                added=change.added,
                async_id=origin.batch.async_id if origin.batch else None,
                job=origin.job,
            )
        )
        self.rivals.after(rival, params)
        return change.contact_id

    def _add_or_update(self, params: dict[str, Any], origin: Origin, _now: float) -> Any:
        contact_id = self.write(params, origin)
        guesses = self._rules.guesses
        answer = {"success": True} if guesses.success_flag == "sent" else {}
        return {**answer, "id": str(contact_id) if guesses.written_id == "text" else contact_id}

    def _get_contact(self, params: dict[str, Any], _origin: Origin, _now: float) -> Any:
        for name in params.keys() - {"id", "useEventSortOrder"}:
            raise invalid(name, "Unknown parameter")
        if "id" not in params:
            raise missing("id")
        contact_id = contact_id_of(params)
        if contact_id is None:
            raise invalid("id", "Value must be a whole number")
        if not isinstance(params.get("useEventSortOrder", False), bool):
            raise invalid("useEventSortOrder", "Value must be true or false")
        return contact_alone(self.contacts.get(contact_id), self._rules)

    def _get_contact_list(self, params: dict[str, Any], _origin: Origin, _now: float) -> Any:
        return contact_list(
            params,
            self.index.shown(),
            self._rules,
            per_page_max=self._per_page_max,
            hidden=self._hidden_in_lists,
        )

    def _get_groups(self, _params: dict[str, Any], _origin: Origin, _now: float) -> Any:
        return subscription_groups(self.contacts)

    def _get_custom_fields(self, _params: dict[str, Any], _origin: Origin, _now: float) -> Any:
        return custom_field_definitions(self._rules)

    def _join_group(self, params: dict[str, Any], _origin: Origin, _now: float) -> Any:
        for name in ("contacts", "group"):
            if name not in params:
                raise missing(name)
        contacts, group = params["contacts"], params["group"]
        if not isinstance(contacts, list) or not all(map(is_id, contacts)):
            raise invalid("contacts", "Value must be a list of contact ids")
        declared = self._rules.account.groups
        if not is_whole(group) or (declared is not None and group not in declared):
            raise invalid("group", f"Group {group} does not exist")
        return [
            {"contactId": int(contact), "status": self.contacts.join(int(contact), group)}
            for contact in contacts
        ]

    def _run_batch(self, params: dict[str, Any], origin: Origin, now: float) -> Any:
        return {"asyncId": self.batches.run(params, origin.request, now).async_id}

    def _repost_batch(self, params: dict[str, Any], _origin: Origin, now: float) -> Any:
        self._on_completed(self.batches.completed(params, now))
        return {"reposted": True}

    def _ping(self, _params: dict[str, Any], _origin: Origin, now: float) -> Any:
        with_utc = self._rules.guesses.timestamps == "with_utc"
        return {"ack": timestamp(now, with_utc=with_utc)}

    def _execute(self, batch: Batch, position: int) -> Any:
        """The response to one job of a batch."""
        job = batch.jobs[position]
        origin = Origin(request=batch.request, batch=batch, job=position)
        action = f"{job.namespace}?action={job.action}"
        try:
            if job.fault in _JOB_REFUSALS:
                raise _JOB_REFUSALS[job.fault]()
            if job.namespace == "batch" or action not in self._actions:
                raise RefusedError(404, "Not found")
            response = self._actions[action](dict(job.params), origin, self._clock())
            if job.fault is JobFault.ERROR_AFTER_WRITE:
                raise internal_error()
            return response
        except RefusedError as refused:
            return refused.answer(codes_as_text=self._rules.guesses.codes == "text")
        except UnsuccessfulError as unsuccessful:
            return unsuccessful.answer()


_WITHOUT_BODY = frozenset(
    {
        "contact?action=getSubscriptionGroupList",
        "contact?action=getCustomFieldDefinition",
        PING,
    }
)
_JOB_REFUSALS: Mapping[JobFault | None, Callable[[], RefusedError]] = {
    JobFault.REJECTED: lambda: RefusedError(400, "This contact cannot be saved"),
    JobFault.RACED: raced,
    JobFault.ERROR_BEFORE_WRITE: internal_error,
}
