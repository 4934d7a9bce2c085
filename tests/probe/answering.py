"""A platform that is not the sandbox: it answers each action as a test says."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from contactsdk import Credentials
from contactsdk.attempt import Requester
from contactsdk.probe import Asker, Probe, Throwaway


@asynccontextmanager
async def probing(
    answers: Mapping[str, tuple[int, Any]], *, contact_id: int = 7
) -> AsyncIterator[Probe]:
    """A probe of a platform with these answers, status and JSON, by their action."""

    async def answer(request: web.Request) -> web.Response:
        namespace = request.path.rpartition("/")[2]
        status, value = answers[f"{namespace}?action={request.query['action']}"]
        return web.json_response(value, status=status)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app) as server:
        requester = Requester(
            str(server.make_url("/")),
            Credentials("key", "secret"),
            session=None,
            timeout_s=10.0,
            connect_timeout_s=5.0,
            max_connections=1,
            keepalive_s=4.0,
            trace_configs=(),
        )
        try:
            probe = Probe(Asker(requester, _no_sleep), Throwaway(mark="0af3"))
            probe.contact_id = contact_id
            yield probe
        finally:
            await requester.aclose()


async def _no_sleep(_delay_s: float) -> None:
    pass
