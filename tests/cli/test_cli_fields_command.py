import json
from collections.abc import Iterator

import pytest

from contactsdk.sandbox import FieldDefinition, FieldType, Guesses, Sandbox
from tests.background import environment_of, sandbox_in_thread
from tests.cli.commanding import call

ASK_FIELDS = "contact?action=getCustomFieldDefinition"
FIELDS = {
    7: FieldDefinition(
        field_type=FieldType.SINGLE_SELECT,
        display_name="Shirt size",
        required=True,
        select_values=["S", "M"],
    ),
    33443: FieldDefinition(
        field_type=FieldType.SMALL_TEXT, display_name="Note\x1b[31m", active=False
    ),
}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    guesses = Guesses(select_values="id_name")
    with sandbox_in_thread(
        groups={10: "VIP", 11: "Press"}, custom_fields=FIELDS, guesses=guesses
    ) as running:
        yield running


def test_groups_and_custom_fields_are_listed_in_tables(sandbox: Sandbox) -> None:
    assert call("fields").stdout.splitlines() == [
        "Subscription groups",
        "  id  name   members",
        "  10  VIP    0",
        "  11  Press  0",
        "",
        "Custom fields",
        "  id     name        type                    required  options",
        "  7      Shirt size  single select           yes       S (1); M (2)",
        "  33443  Note?[31m   small text, not in use  no",
    ]


def test_json_holds_all_that_is_known(sandbox: Sandbox) -> None:
    found = json.loads(call("fields", "--json").stdout)

    assert found["groups"][0] == {"id": 10, "name": "VIP", "member_count": 0, "tag_colour": None}
    assert found["custom_fields"][0] == {
        "field_id": 7,
        "name": "Shirt size",
        "type": "single select",
        "options": [{"value": 1, "label": "S"}, {"value": 2, "label": "M"}],
        "is_required": True,
        "is_active": True,
        "sort_order": 0,
        "file_types": [],
    }


def test_account_without_any_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with sandbox_in_thread() as sandbox:
        for name, value in environment_of(sandbox).items():
            monkeypatch.setenv(name, value)

        assert call("fields").stdout == "Subscription groups: none\n\nCustom fields: none\n"


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_the_key_may_not_ask_for_is_reported(
    options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandbox_in_thread(groups={10: "VIP"}, denied={ASK_FIELDS: 403}) as sandbox:
        for name, value in environment_of(sandbox).items():
            monkeypatch.setenv(name, value)

        result = call("fields", *options, code=3)

    assert "VIP" in result.stdout
    assert "ustom" not in result.stdout
    assert result.stderr.startswith(
        "contactsdk: the account's custom fields cannot be asked for (The API key has no access"
    )


def test_wrong_secret_says_so_for_both(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTACTSDK_SECRET", "wrong")

    result = call("fields", code=3)

    assert result.stdout == ""
    assert (
        "subscription groups cannot be asked for (Invalid API key or signature: " in result.stderr
    )
