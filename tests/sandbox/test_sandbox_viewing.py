from collections.abc import AsyncIterator

import aiohttp
import pytest

from contactsdk.sandbox import Fault, FaultKind, RateLimit, Sandbox
from tests.sandbox.asking import ADD, RUN, Asking, batch_of
from tests.sandbox.made import BOBBY


@pytest.fixture
async def ask(sandbox: Sandbox) -> AsyncIterator[Asking]:
    async with aiohttp.ClientSession() as session:
        yield Asking(session, sandbox)


async def seen(ask: Asking, path: str = "/", host: str | None = None) -> tuple[int, str]:
    headers = {} if host is None else {"Host": host}
    async with ask.session.get(ask.sandbox.url + path, headers=headers) as response:
        return response.status, await response.text()


async def test_browser_shows_what_has_arrived(ask: Asking) -> None:
    await ask(ADD, BOBBY)
    await ask(RUN, batch_of(BOBBY))
    status, text = await seen(ask)
    assert status == 200
    for part in ("bobby@example.com", "Contacts: 2", "Batches: 1", "Requests: 2", "100 %"):
        assert part in text


async def test_newest_contact_comes_first(ask: Asking) -> None:
    for number in range(3):
        await ask(ADD, {**BOBBY, "phone": f"phone-{number}"})
    await ask(ADD, {"id": 1001, "status": 1})
    _, text = await seen(ask)
    assert text.index("phone-0") < text.index("phone-2") < text.index("phone-1")


async def test_page_is_html_that_may_load_nothing(sandbox: Sandbox, ask: Asking) -> None:
    async with ask.session.get(sandbox.url) as response:
        assert response.content_type == "text/html"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store"


async def test_look_at_the_page_is_not_a_request_to_the_platform(
    sandbox: Sandbox, ask: Asking
) -> None:
    sandbox.script(Fault(FaultKind.HTML))
    sandbox.rate_limit = RateLimit(per_s=0.01)
    assert [(await seen(ask))[0] for _ in range(3)] == [200] * 3
    assert sandbox.ledger.requests == []
    assert (await ask(ADD, BOBBY)).status == 502


async def test_secret_and_key_are_not_on_the_page(sandbox: Sandbox, ask: Asking) -> None:
    await ask(ADD, BOBBY)
    _, text = await seen(ask)
    assert sandbox.secret not in text
    assert sandbox.key not in text


async def test_refreshing_is_stopped_by_a_link(ask: Asking) -> None:
    assert 'http-equiv="refresh"' in (await seen(ask))[1]
    assert 'http-equiv="refresh"' not in (await seen(ask, "/?refresh=off"))[1]


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:80", "127.0.0.1", "[::1]:8080", "10.0.0.1"]
)
async def test_page_is_shown_under_an_address_of_this_machine(ask: Asking, host: str) -> None:
    assert (await seen(ask, host=host))[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "localhost.evil.example"])
async def test_page_is_not_shown_under_a_name_from_elsewhere(ask: Asking, host: str) -> None:
    await ask(ADD, BOBBY)
    status, text = await seen(ask, host=host)
    assert status == 403
    assert "bobby" not in text


async def test_page_is_shown_under_the_name_on_which_the_sandbox_listens(
    monkeypatch: pytest.MonkeyPatch, ask: Asking
) -> None:
    own = ask.sandbox.url.replace("127.0.0.1", "sandbox.internal")
    monkeypatch.setattr(Sandbox, "url", own)
    async with ask.session.get(
        own.replace("sandbox.internal", "127.0.0.1"), headers={"Host": own.partition("://")[2]}
    ) as response:
        assert response.status == 200


async def test_all_contacts_can_be_looked_at_page_by_page(ask: Asking) -> None:
    for number in range(51):
        await ask(ADD, {**BOBBY, "email": f"no-{number}@example.com"})
    for path in ("/", "/?page=1", "/?page=0", "/?page=x", f"/?page={'9' * 5000}x"):
        _, text = await seen(ask, path)
        assert "no-50@" in text.partition('id="requests"')[0]
    for path in ("/?page=2", "/?page=3", "/?page=999999999"):
        _, text = await seen(ask, path)
        assert "51 to 51 of 51" in text


async def test_contacts_of_the_same_names_and_email_are_marked(ask: Asking) -> None:
    for _ in range(2):
        await ask(ADD, BOBBY)
    await ask(ADD, {**BOBBY, "email": "another@example.com"})
    _, text = await seen(ask)
    assert text.count(">same as ") == 2
