"""The sandbox with each of its guesses switched: a probe sees what it can see."""

import pytest

from contactsdk.probe import Probe
from contactsdk.probe.writing import add, see_batch
from contactsdk.sandbox import Guesses
from contactsdk.sandbox.guesses import ANSWERS
from tests.probe.probed import HeldTime, a_sandbox, otherwise, probed, seen, with_contacts

UNSEEN = {
    # They need a second contact, or a company; the probe makes do with one contact.
    "empty_companies",
    "repeated_add",
    "name_match",
    "repeated_external_id",
    # An account that demands fields takes no throwaway contact at all.
    "required_custom_fields",
    # To restart a batch says nothing once it is complete.
    "batch_restart",
    # One batch of two may come out in order by chance: it has a test of its own.
    "batch_order",
}
SWITCHED = [
    (name, answer)
    for name, (_, *others) in ANSWERS.items()
    if name not in UNSEEN
    for answer in others
]


async def test_platform_that_is_as_assumed_shows_nothing_else() -> None:
    held = HeldTime()
    async with a_sandbox(held) as sandbox:
        await with_contacts(sandbox, held)
        made, why = await probed(sandbox, held)

    assert why is None
    assert otherwise(made.findings()) == set()
    assert [name for name, what in seen(made).items() if what is None] == ["throttled"]
    assert made.asker.requests <= 60
    assert len(sandbox.contacts) == 7


@pytest.mark.parametrize(("name", "answer"), SWITCHED)
async def test_switched_guess_is_seen(name: str, answer: str) -> None:
    held = HeldTime()
    guesses = Guesses.read([f"{name}={answer}"])
    async with a_sandbox(held, guesses=guesses) as sandbox:
        await with_contacts(sandbox, held)
        made, why = await probed(sandbox, held)

    assert why is None
    assert name in otherwise(made.findings())
    assert seen(made)[name] == answer
    assert len(sandbox.contacts) == 7
    assert made.asker.requests <= 60


async def test_order_of_a_batch_is_seen_where_it_is_another() -> None:
    held = HeldTime()
    guesses = Guesses(batch_order="shuffled")
    async with a_sandbox(held, guesses=guesses) as sandbox:
        orders = set()

        async def see_order(probe: Probe) -> None:
            await see_batch(probe)
            orders.add(seen(probe)["batch_order"])

        await probed(sandbox, held, steps=(add, *[see_order] * 15))

    assert orders == {"as_sent", "shuffled"}
