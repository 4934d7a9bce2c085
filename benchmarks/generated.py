"""A client for the call as openapi-python-client makes it, from this description of it."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "generated_contacts"

_ACTION = {"name": "action", "in": "query", "required": True, "schema": {"type": "string"}}
_INTEGER = {"type": "integer"}
_TEXT = {"type": "string"}


def _object(required: list[str], **properties: object) -> dict[str, object]:
    return {"type": "object", "required": required, "properties": properties}


def _list_of(kind: object) -> dict[str, object]:
    return {"type": "array", "items": kind}


def _json(kind: str) -> dict[str, object]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind}"}}}


_DESCRIPTION = {
    "openapi": "3.0.3",
    "info": {"title": "Contacts", "version": "1.0"},
    "paths": {
        "/api/1.0/contact": {
            "post": {
                "operationId": "addOrUpdateContact",
                "tags": ["contact"],
                "parameters": [
                    {"name": "action", "in": "query", "required": True, "schema": _TEXT}
                ],
                "requestBody": {"required": True, "content": _json("Contact")},
                "responses": {"200": {"description": "Done", "content": _json("Answer")}},
            }
        }
    },
    "components": {
        "schemas": {
            "Answer": _object(["success", "id"], success={"type": "boolean"}, id=_INTEGER),
            "Group": _object(["groupId"], groupId=_INTEGER),
            "CustomField": _object(["fieldId", "value"], fieldId=_INTEGER, value=_TEXT),
            "Contact": _object(
                [],
                id=_INTEGER,
                externalId=_TEXT,
                firstName=_TEXT,
                lastName=_TEXT,
                email=_TEXT,
                groups=_list_of({"$ref": "#/components/schemas/Group"}),
                customFields=_list_of({"$ref": "#/components/schemas/CustomField"}),
                companies=_list_of(_INTEGER),
                status=_INTEGER,
            ),
        }
    },
}


@contextlib.contextmanager
def generated_client() -> Iterator[str]:
    """A folder with the package `PACKAGE`, made anew, and gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        description, settings = Path(folder, "description.json"), Path(folder, "settings.yaml")
        description.write_text(json.dumps(_DESCRIPTION))
        settings.write_text("post_hooks: []\n")
        subprocess.run(
            [
                *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
                *("--path", description, "--config", settings),
                *("--output-path", Path(folder, PACKAGE)),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        yield folder
