"""A probe: its steps one after another, and what each of them found."""

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
    """The one contact that a probe makes: nobody's name, and an address that gets no mail."""

    mark: str
    """Makes it another contact than that of an earlier probe: a few letters or digits."""

    @property
    def last_name(self) -> str:
        """By which people find it."""
        return f"Probe-{self.mark}"

    @property
    def names(self) -> dict[str, Any]:
        """By which the platform tells it from others."""
        return {
            "firstName": "Contactsdk",
            "lastName": self.last_name,
            "email": f"contactsdk-probe-{self.mark}@example.com",
        }

    @property
    def external_id(self) -> str:
        """Its external id."""
        return f"contactsdk-probe-{self.mark}"


@define
class Probe:
    """What a probe knows so far."""

    asker: Asker
    """Makes its requests."""
    throwaway: Throwaway
    """The contact that it adds."""
    now: Callable[[], float] = time.time
    """Seconds since the epoch."""
    contact_id: int | None = None
    """The platform's id of the throwaway contact, once it is there."""
    added_ids: list[int] = field(factory=list)
    """The ids of all contacts that it added: more than one where an add did not find the first."""
    may_have_added: bool = False
    """Whether it may have added another, whose id it does not know."""
    group: int | None = None
    """One of the account's groups; `None` where it has none that can be seen."""
    fields: list[dict[str, Any]] = field(factory=list)
    """The account's custom fields, as the platform lists them."""
    _seen: dict[str, tuple[str, str]] = field(factory=dict)

    def note(self, name: str, seen: str, detail: str = "") -> None:
        """Keep what was seen of an assumption, and perhaps how exactly."""
        self._seen[name] = seen, detail

    def findings(self) -> tuple[Finding, ...]:
        """What was seen of each assumption, in the order of the table."""
        found = []
        for assumption in ASSUMPTIONS:
            seen, detail = self._seen.get(assumption.name, (None, ""))
            found.append(Finding(assumption=assumption, seen=seen, detail=detail))
        return tuple(found)

    async def ask(self, action: str, params: Any = None) -> Reply:
        """One request; see `Asker.ask`."""
        return await self.asker.ask(action, params)

    async def add(self, **params: Any) -> Reply:
        """Add the throwaway contact, and keep the id that is answered."""
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
        """What the platform shows of the throwaway contact.

        Raises:
            ProbeStoppedError: It does not show it.
        """
        reply = await self.ask("contact?action=getContact", {"id": self.contact_id})
        if reply.is_refusal or not isinstance(reply.body, dict):
            raise ProbeStoppedError(
                f"the contact that was added cannot be looked at ({reply.codes})"
            )
        return reply.body

    async def listed(self, **filters: Any) -> Reply:
        """A list of the contacts that match this filter."""
        params = {"filter": filters, "perPage": 100, "start": 0}
        return await self.ask("contact?action=getContactList", params)

    def is_in(self, reply: Reply) -> bool:
        """Whether the throwaway contact is among those of a list."""
        return self.contact_id in self.ids_in(reply)

    def ids_in(self, reply: Reply) -> list[int]:
        """The ids of a list, in its order."""
        return [int(item["id"]) for item in reply.results if isinstance(item, dict)]


class Step(Protocol):
    """One step of a probe, such as adding the throwaway contact."""

    __name__: str

    def __call__(self, probe: Probe, /) -> Awaitable[None]:
        """Ask the platform for something, and note in the probe what it answered."""
        ...


async def probe(progress: Probe, steps: Sequence[Step]) -> str | None:
    """Take these steps, and keep what they find; returns why they ended early, if they did."""
    try:
        for step in steps:
            try:
                await step(progress)
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                # No page says what all answers look like; a later step may rest on this one.
                what = f"{step.__name__} got an answer of a shape that is not known"
                raise ProbeStoppedError(f"{what} ({type(error).__name__})") from error
    except TooManyRequestsError:
        return f"{progress.asker.requests} requests were made, and a probe makes no more"
    except (ProbeStoppedError, ContactError) as error:
        return str(error)
    finally:
        if progress.asker.throttled is not None:
            progress.note("throttled", progress.asker.throttled)
    return None
