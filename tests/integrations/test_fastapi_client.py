"""The app's client as a dependency: in tests, in routers, in mounted apps, for several accounts."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from contactsdk import ContactClient, Credentials
from contactsdk.integrations.fastapi import ContactClientDep, contact_client, contact_lifespan

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


def a_client() -> ContactClient:
    """A client for what is never sent."""
    return ContactClient("http://127.0.0.1:9", Credentials("key", "secret"))


def an_app_that_shows_its_client(lifespan: Lifespan | None = None) -> FastAPI:
    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def show(client: ContactClientDep) -> int:
        return id(client)

    return app


def test_test_can_give_the_app_another_client() -> None:
    app = an_app_that_shows_its_client()
    client = a_client()
    app.dependency_overrides[contact_client] = lambda: client

    assert TestClient(app).get("/").json() == id(client)


def test_router_takes_the_client_of_its_app() -> None:
    client = a_client()
    router = APIRouter()

    @router.get("/")
    async def show(client: ContactClientDep) -> int:
        return id(client)

    app = FastAPI(lifespan=lambda app: contact_lifespan(app, lambda: client))
    app.include_router(router, prefix="/inner")

    with TestClient(app) as http:
        assert http.get("/inner/").json() == id(client)


def test_router_can_bring_the_lifespan() -> None:
    client = a_client()
    router = APIRouter(lifespan=lambda app: contact_lifespan(app, lambda: client))
    app = an_app_that_shows_its_client()
    app.include_router(router)

    with TestClient(app) as http:
        assert http.get("/").json() == id(client)


def test_mounted_app_has_the_client_of_the_app_that_it_is_mounted_in() -> None:
    client = a_client()
    app = FastAPI(lifespan=lambda app: contact_lifespan(app, lambda: client))
    app.mount("/inner", an_app_that_shows_its_client())

    with TestClient(app) as http:
        assert http.get("/inner/").json() == id(client)


def test_use_after_the_lifespan_says_that_it_has_ended() -> None:
    http = TestClient(an_app_that_shows_its_client(lambda app: contact_lifespan(app, a_client)))
    with http:
        pass

    with pytest.raises(RuntimeError, match="has ended"):
        http.get("/")
