"""The README's Python examples run as they stand."""

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactsdk.sandbox import Sandbox

README = Path(__file__).parent.parent / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def sandbox_in_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox in a thread of its own, where an example finds it."""
    sandbox = Sandbox()
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with sandbox:
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    started.wait()
    monkeypatch.setenv("CONTACTSDK_URL", sandbox.url)
    monkeypatch.setenv("CONTACTSDK_KEY", sandbox.key)
    monkeypatch.setenv("CONTACTSDK_SECRET", sandbox.secret)
    yield sandbox
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda code: code.split("\n")[0])
def test_example_runs(
    example: str, sandbox_in_environment: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(example, str(README), "exec"), {"__name__": "__main__"})

    assert capsys.readouterr().out
