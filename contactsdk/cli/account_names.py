"""The account's groups and custom fields, as the commands ask for them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from attrs import frozen

from contactsdk.cli.account import client_of, secret_of
from contactsdk.cli.advice import is_refused_here, with_advice
from contactsdk.cli.exits import Exit, complain, fail
from contactsdk.client import ContactClient
from contactsdk.errors import ContactError, RejectedError, SetupError
from contactsdk.models import CustomFieldDefinition, Group

GROUPS: Final = "subscription groups"
CUSTOM_FIELDS: Final = "custom fields"

_T = TypeVar("_T")
_Groups: TypeAlias = tuple[Group, ...]
_CustomFields: TypeAlias = tuple[CustomFieldDefinition, ...]

DEADLINE_S: Final = 20.0
"""For how many seconds the account is asked for each list of names."""


@frozen(kw_only=True)
class Declared:
    """What an account has declared."""

    groups: _Groups | ContactError
    """The subscription groups, or the error with which asking for them failed."""
    custom_fields: _CustomFields | ContactError
    """The custom fields, or the error with which asking for them failed."""


async def ask(client: ContactClient) -> Declared:
    """Ask for groups and custom fields, and close the client."""
    async with client:
        groups = await _answer_or_error(client.groups(deadline_s=DEADLINE_S))
        if isinstance(groups, ContactError) and is_refused_here(groups):
            return Declared(groups=groups, custom_fields=groups)  # to ask again only takes longer
        return Declared(
            groups=groups,
            custom_fields=await _answer_or_error(client.custom_fields(deadline_s=DEADLINE_S)),
        )


@frozen(kw_only=True)
class AskedAccount:
    """Asks the account for its groups and custom fields, once, when either is first needed."""

    client: Callable[[], ContactClient | None]
    """Makes the client to ask with; `None` where there are no credentials."""
    can_do_without: bool
    """Whether the command can go on with ids alone if the platform cannot be reached."""

    def groups(self) -> _Groups | None:
        """The account's groups; `None` if they are not known, and then a message says so.

        Raises:
            typer.Exit: The platform cannot be reached, and the command needs it.
        """
        declared = self._declared
        # As for custom fields: if none are listed, an id may be right nevertheless.
        return self._known(GROUPS, None if declared is None else declared.groups) or None

    def custom_fields(self) -> _CustomFields | None:
        """The account's custom fields; `None` if they are not known, and then a message says so.

        Raises:
            typer.Exit: The platform cannot be reached, and the command needs it.
        """
        declared = self._declared
        return self._known(CUSTOM_FIELDS, None if declared is None else declared.custom_fields)

    @cached_property
    def _declared(self) -> Declared | None:
        client = self.client()
        return None if client is None else asyncio.run(ask(client))

    def _known(
        self, what: str, answer: tuple[_T, ...] | ContactError | None
    ) -> tuple[_T, ...] | None:
        match answer:
            case None:
                complain(
                    f"the account's {what} are not known without its address, key and secret: "
                    "give ids instead of names; they are not checked"
                )
            case SetupError() | RejectedError():
                complain(
                    f"{cannot_ask(what, answer)}: use ids instead of names; they are not checked"
                )
            case ContactError() if self.can_do_without:
                complain(
                    f"{cannot_ask(what, answer)}: use ids instead of names; they are not checked"
                )
            case ContactError() if is_refused_here(answer):
                fail(f"{with_advice(answer)}; nothing was sent", Exit.STOPPED)
            case ContactError():
                fail(f"{cannot_ask(what, answer)}; nothing was sent", Exit.STOPPED)
            case _:
                return answer
        return None


def account_names(
    url: str, key: str, secret_file: Path | None, *, can_do_without: bool = False
) -> AskedAccount:
    """The groups and custom fields of the account that the options or the environment name.

    The address, the key and the secret may be missing only if `can_do_without` is true.
    """

    def client() -> ContactClient | None:
        if can_do_without and not (url and key and secret_of(secret_file)):
            return None
        return client_of(url, key, secret_file)

    return AskedAccount(client=client, can_do_without=can_do_without)


def cannot_ask(what: str, error: ContactError) -> str:
    """A message that `what` of the account cannot be read, and why."""
    return f"the account's {what} cannot be asked for ({with_advice(error)})"


async def _answer_or_error(answer: Awaitable[_T]) -> _T | ContactError:
    try:
        return await answer
    except ContactError as error:
        return error
