"""A worker in a process of its own, for tests that stop and kill it.

    python tests/distributed/machine.py OPTIONS

OPTIONS are those of `Options` as JSON. Printed is each line that the worker says. SIGTERM stops it.
"""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial

from attrs import asdict, frozen

from contactsdk import ContactClient, Credentials, RetryPolicy
from contactsdk.sandbox import Sandbox
from contactsdk.workers.engine_loop import pass_over_lost_jobs
from contactsdk.workers.worker import Worker


@frozen(kw_only=True)
class Options:
    """What the process is to do."""

    platform_url: str
    key: str
    secret: str
    database_url: str
    schema: str
    concurrency: int = 4
    lease_s: float = 1.0
    slice_s: float = 1.0
    timeout_s: float = 1.0


class Machine:
    """A process that works."""

    def __init__(self, options: Options) -> None:
        # A pipe would be full once nobody reads it.
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed by `close`
        self.process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(asdict(options))],
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    @property
    def said(self) -> str:
        """What it has printed so far."""
        # By a position of our own: the process has the same file open.
        return os.pread(self._output.fileno(), 1_000_000, 0).decode()

    def until_ready(self) -> None:
        """Wait until it can be stopped in order."""
        ends = time.monotonic() + 60
        while "ready" not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < ends, self.said
            time.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        return self.process.wait(timeout=60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._output.close()


def options_for(sandbox: Sandbox, database_url: str, schema: str, **options: float) -> Options:
    """What a worker needs that sends to a sandbox."""
    return Options(
        platform_url=sandbox.url,
        key=sandbox.key,
        secret=sandbox.secret,
        database_url=database_url,
        schema=schema,
        **options,  # type: ignore[arg-type]
    )


async def work(options: Options) -> None:
    async with ContactClient(
        options.platform_url,
        Credentials(options.key, options.secret),
        retry=RetryPolicy(base_s=0.001, max_wait_s=0.01),
        timeout_s=options.timeout_s,
    ) as client:
        worker = Worker(
            client,
            options.database_url,
            concurrency=options.concurrency,
            lease_s=options.lease_s,
            slice_s=options.slice_s,
            say=partial(print, flush=True),
            schema=options.schema,
        )
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(pass_over_lost_jobs)
        loop.add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.work()


def main() -> None:
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    asyncio.run(work(Options(**json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()
