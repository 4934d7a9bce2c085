"""The recipes for workers: consumers, one event loop for each job, and a graceful end."""

import asyncio
import os
import signal
import sys

import pytest

from contactsdk import Contact, ContactClient, ContactError, Credentials
from contactsdk.sandbox import Answer, Fault, FaultKind, Sandbox
from tests.examples import a_contact

# Consumers that share one client, and end after what they have taken when asked to.
WORKER = """
import asyncio, signal
from contactsdk import Contact, ContactClient, ContactError

async def consume(jobs, client):
    while (contact := await jobs.get()) is not None:
        try:
            print(await client.add_or_update(contact), flush=True)
        except ContactError as error:
            print(type(error).__name__, flush=True)

async def main():
    jobs = asyncio.Queue(maxsize=4)
    async with ContactClient.from_env() as client, asyncio.TaskGroup() as tasks:
        feeding = tasks.create_task(feed(jobs))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, feeding.cancel)
        consumers = [tasks.create_task(consume(jobs, client)) for _ in range(4)]
        await asyncio.wait([feeding])
        for _ in consumers:
            await jobs.put(None)

async def feed(jobs):
    number = 0
    while True:
        number += 1
        await jobs.put(
            Contact(first_name="Ada", last_name=f"No {number}", email=f"ada{number}@example.com")
        )

asyncio.run(main())
"""


async def test_consumers_share_one_client(sandbox: Sandbox, client: ContactClient) -> None:
    jobs: asyncio.Queue[Contact | None] = asyncio.Queue()
    ids: list[int] = []

    async def consume() -> None:
        while (contact := await jobs.get()) is not None:
            ids.append(await client.add_or_update(contact))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(8):
            tasks.create_task(consume())
        for number in range(40):
            await jobs.put(a_contact(last_name=f"No {number}"))
        for _ in range(8):
            await jobs.put(None)

    assert sorted(ids) == sorted(sandbox.contacts)
    assert len(sandbox.ledger.writes) == 40


async def test_error_of_one_task_does_not_reach_another_task(
    sandbox: Sandbox, client: ContactClient
) -> None:
    sandbox.script(Fault(FaultKind.CLOSE_AFTER_WRITE))
    calls = [client.add_or_update(a_contact(last_name=f"No {number}")) for number in range(8)]

    results = await asyncio.gather(*calls, return_exceptions=True)

    assert sum(isinstance(result, ContactError) for result in results) == 1
    assert sum(isinstance(result, int) for result in results) == 7


async def test_each_job_may_run_a_loop_of_its_own(sandbox: Sandbox) -> None:
    async def add(number: int) -> int:
        async with ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret)) as client:
            return await client.add_or_update(a_contact(last_name=f"No {number}"))

    def job(number: int) -> int:  # what Celery, RQ or cron calls
        return asyncio.run(add(number))

    # In a thread, since the sandbox has the loop of this one.
    ids = [await asyncio.to_thread(job, number) for number in range(2)]

    assert ids == list(sandbox.contacts)


async def test_client_of_another_loop_is_refused_with_what_to_do(sandbox: Sandbox) -> None:
    kept = ContactClient(sandbox.url, Credentials(sandbox.key, sandbox.secret))

    def job() -> int:
        return asyncio.run(kept.add_or_update(a_contact()))

    async with kept:
        await kept.ping()
        with pytest.raises(RuntimeError, match="another event loop: make one client for each loop"):
            await asyncio.to_thread(job)

    assert sandbox.ledger.writes == []


async def test_worker_finishes_what_it_has_taken_on_sigterm(sandbox: Sandbox) -> None:
    sandbox.latency_s = 0.02
    keys = {"CONTACTSDK_KEY": sandbox.key, "CONTACTSDK_SECRET": sandbox.secret}
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WORKER,
        env={**os.environ, "CONTACTSDK_URL": sandbox.url, **keys},
        stdout=asyncio.subprocess.PIPE,
    )
    assert worker.stdout is not None
    first = await worker.stdout.readline()
    worker.send_signal(signal.SIGTERM)
    rest, _ = await worker.communicate()

    assert worker.returncode == 0
    ids = [int(line) for line in (first + rest).split()]
    assert sorted(ids) == sorted(sandbox.contacts)
    assert {request.answer for request in sandbox.ledger.requests} == {Answer.SENT}
