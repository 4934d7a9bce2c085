"""A probe: it runs its steps one after another, and keeps what each of them found."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from attrs import define, field, frozen

from contactsdk.errors import ContactError
from contactsdk.probe.assumptions import ASSUMPTIONS, Finding
from contactsdk.probe.requests import Asker, Reply, TooManyRequestsError

ADD_OR_UPDATE: Final = "contact?action=addOrUpdateContact"


class ProbeStoppedError(Exception):
    """A probe could not go on; the message says why."""


@frozen(kw_only=True)
class Throwaway:
    """The one contact that a probe adds: no real name, and an address that receives no mail."""

    mark: str
    """A few letters or digits that tell this contact from those of earlier probes."""

    @property
    def last_name(self) -> str:
        """The last name, by which people can find the contact."""
        return f"Probe-{self.mark}"

    @property
    def names(self) -> dict[str, Any]:
        """First name, last name and email, by which the platform identifies the contact."""
        return {
            "firstName": "Contactsdk",
            "lastName": self.last_name,
            "email": f"contactsdk-probe-{self.mark}@example.com",
        }

    @property
    def external_id(self) -> str:
        """The external id of the contact."""
        return f"contactsdk-probe-{self.mark}"


@define
class Probe:
    """The state of a probe: its requests, its contact, and what it has found so far."""

    asker: Asker
    """Makes the requests of the probe."""
    throwaway: Throwaway
    """The contact that the probe adds."""
    now: Callable[[], float] = time.time
    """Returns the time in seconds since the epoch."""
    contact_id: int | None = None
    """The platform's id of the throwaway contact; `None` until it was added."""
    added_ids: list[int] = field(factory=list)
    """The ids of all contacts that the probe added. There is more than one if a later add did not
    update the first contact."""
    may_have_added: bool = False
    """Whether the probe may have added a further contact, whose id it does not know."""
    group: int | None = None
    """The id of one of the account's groups; `None` if no group is visible."""
    fields: list[dict[str, Any]] = field(factory=list)
    """The account's custom fields, as the platform lists them; empty if none are visible."""
    _seen: dict[str, tuple[str, str]] = field(factory=dict)

    def note(self, name: str, seen: str, detail: str = "") -> None:
        """Keep the answer to the assumption of this name, and perhaps a detail."""
        self._seen[name] = seen, detail

    def findings(self) -> tuple[Finding, ...]:
        """The finding for each assumption, in the order of the table."""
        found = []
        for assumption in ASSUMPTIONS:
            seen, detail = self._seen.get(assumption.name, (None, ""))
            found.append(Finding(assumption=assumption, seen=seen, detail=detail))
        return tuple(found)

    async def ask(self, action: str, params: Any = None) -> Reply:
        """Make one request; see `Asker.ask`."""
        return await self.asker.ask(action, params)

    async def add(self, **params: Any) -> Reply:
        """Add the throwaway contact, and keep the id in the answer."""
        may_have_added, self.may_have_added = self.may_have_added, True
        reply = await self.ask(ADD_OR_UPDATE, params)
        if not reply.is_refusal and reply.get("id"):
            contact_id = int(reply.get("id"))
            if contact_id not in self.added_ids:
                self.added_ids.append(contact_id)
            self.may_have_added = may_have_added
        elif reply.is_refusal:
            self.may_have_added = may_have_added
        return reply

    async def update(self, **params: Any) -> Reply:
        """Update the throwaway contact."""
        return await self.ask(ADD_OR_UPDATE, {"id": self.contact_id, **params})

    async def shown(self) -> dict[str, Any]:
        """The throwaway contact as the platform shows it.

        Raises:
            ProbeStoppedError: The platform does not show the contact.
        """
        reply = await self.ask("contact?action=getContact", {"id": self.contact_id})
        if reply.is_refusal or not isinstance(reply.body, dict):
            raise ProbeStoppedError(f"the contact that was added cannot be read ({reply.codes})")
        return reply.body

    async def listed(self, **filters: Any) -> Reply:
        """Ask for the list of the contacts that match this filter: its first 100."""
        params = {"filter": filters, "perPage": 100, "start": 0}
        return await self.ask("contact?action=getContactList", params)

    def is_in(self, reply: Reply) -> bool:
        """Whether a list has the throwaway contact."""
        return self.contact_id in self.ids_in(reply)

    def ids_in(self, reply: Reply) -> list[int]:
        """The ids of the contacts in a list, in its order."""
        return [int(item["id"]) for item in reply.results if isinstance(item, dict)]


class Step(Protocol):
    """One step of a probe, such as adding the throwaway contact."""

    __name__: str

    def __call__(self, probe: Probe, /) -> Awaitable[None]:
        """Make requests, and note in the probe what the platform answered."""
        ...


async def probe(progress: Probe, steps: Sequence[Step]) -> str | None:
    """Run these steps, which note what they find in `progress`.

    Returns why the probe ended early; `None` if all steps were run.
    """
    try:
        for step in steps:
            try:
                await step(progress)
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                # The platform's pages do not document all answers. The probe ends here, since a
                # later step may depend on this one.
                what = f"the step {step.__name__} got an answer of an unknown shape"
                raise ProbeStoppedError(f"{what} ({type(error).__name__})") from error
    except TooManyRequestsError:
        return f"{progress.asker.requests} requests were made, and a probe makes no more"
    except (ProbeStoppedError, ContactError) as error:
        return str(error)
    finally:
        if progress.asker.throttled is not None:
            progress.note("throttled", progress.asker.throttled)
    return None
