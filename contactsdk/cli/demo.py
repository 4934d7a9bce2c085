"""A demonstration: imports a thousand invented contacts into a sandbox in this process."""

import random
from collections.abc import Callable, Iterator
from typing import Final

from attrs import evolve

from contactsdk.bulk import OnProgress, Outcome, Progress
from contactsdk.cli.interruption import Interruption
from contactsdk.cli.run import Ending, Sending, send
from contactsdk.client import ContactClient
from contactsdk.files import Result, result_of
from contactsdk.models import Contact, EmailStatus, Item
from contactsdk.signing import Credentials
from contactsdk.wire import contacts_from

CONTACTS: Final = 1000

_SEED: Final = 2026
_NEW: Final = 700
_GROUPS: Final = (10, 11, 12)
_UNKNOWN_GROUP: Final = 99
_UNKNOWN_ID: Final = 999_999_999
_FIRST_NAMES: Final = ("Ada", "Ben", "Chloe", "Dev", "Esme", "Farid", "Grace", "Hugo", "Iris")
_LAST_NAMES: Final = ("Archer", "Baker", "Cooper", "Dyer", "Fisher", "Mason", "Potter", "Weaver")


async def import_samples(record: Callable[[Result], None], show: OnProgress) -> Ending:
    """Import the sample contacts over real HTTP; `record` gets each result, `show` the progress.

    The contacts are the same every time: first new ones, then updates of those that were just
    added. A few of both are wrong, in different ways.
    """
    # Here, since the other commands are not to wait for the import of a server.
    from contactsdk.sandbox import Sandbox

    chance = random.Random(_SEED)  # noqa: S311  # no secret
    ids: dict[int, int] = {}

    def take_new(outcome: Outcome) -> None:
        if outcome.id is not None:
            ids[outcome.index] = outcome.id
        row = outcome.index + 1
        record(result_of(row, row, outcome))

    def take_update(outcome: Outcome) -> None:
        row = _NEW + outcome.index + 1
        record(result_of(row, row, outcome))

    with Interruption() as interruption:
        async with (
            Sandbox(groups=_GROUPS) as sandbox,
            ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret)) as client,
        ):
            new = _until(interruption, _new_contacts(chance))
            sending = Sending(on_progress=show)
            stopped_by = await send(client, new, take_new, interruption, sending)
            if stopped_by is not None or interruption.happened:
                return Ending(stopped_by, interruption.happened)
            # In input order, since the order of the answers differs from run to run.
            added = [ids[index] for index in sorted(ids)]
            updates = _until(interruption, _updates(chance, added))

            def show_both(progress: Progress) -> None:
                succeeded, failed = progress.succeeded + len(ids), progress.failed + _NEW - len(ids)
                show(evolve(progress, succeeded=succeeded, failed=failed))

            sending = Sending(on_progress=show_both)
            stopped_by = await send(client, updates, take_update, interruption, sending)
            return Ending(stopped_by, interruption.happened)


def _until(interruption: Interruption, items: Iterator[Item]) -> Iterator[Item]:
    for item in items:
        if interruption.happened:
            return
        yield item


def _new_contacts(chance: random.Random) -> Iterator[Item]:
    for number in range(_NEW):
        first_name, last_name = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
        row = {
            "firstName": first_name,
            "lastName": last_name,
            "email": f"{first_name}.{last_name}.{number}@example.com".lower(),
            "groups": [chance.choice(_GROUPS)],
            "externalId": f"sample-{number}",
        }
        match number % 100:
            case 13:
                row["email"] = "no address"
            case 47 if number < 400:
                del row["lastName"]
            case 71:
                row["groups"] = [_UNKNOWN_GROUP]
        yield from contacts_from([row])


def _updates(chance: random.Random, ids: list[int]) -> Iterator[Contact]:
    for number in range(CONTACTS - _NEW):
        contact_id = _UNKNOWN_ID if number % 100 == 29 else chance.choice(ids)
        status = chance.choice((EmailStatus.SUBSCRIBED, EmailStatus.UNSUBSCRIBED))
        yield Contact(id=contact_id, status=status)
