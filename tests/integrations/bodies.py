"""Bodies that are no valid contact, and where each is wrong."""

from typing import Any

ADA = {"firstName": "Ada", "lastName": "Archer", "email": "ada@example.com"}

WRONG: list[tuple[Any, list[list[str | int]]]] = [
    ([], [[]]),
    ({}, [["firstName"], ["lastName"], ["email"]]),
    ({**ADA, "lastName": "", "email": "nobody"}, [["lastName"], ["email"]]),
    ({**ADA, "favouriteColour": "red"}, [["favouriteColour"]]),
    ({"id": 0, "externalId": 1}, [["id"], ["externalId"]]),
    ({"id": 1, "groups": [{"groupId": 10}, {"groupId": 0}]}, [["groups", 1, "groupId"]]),
    ({"id": 1, "companies": [4, "5"]}, [["companies", 1]]),
    (
        {"id": 1, "customFields": [{"fieldId": 5, "value": 1}, {"fieldId": "x", "value": 1}]},
        [["customFields", 1, "fieldId"]],
    ),
    ({"id": 1, "externalUrls": [{"ref": "a", "url": "http://a"}]}, [["externalUrls", 0, "url"]]),
    ({"id": 1, "status": 6, "smsStatus": "1"}, [["status"], ["smsStatus"]]),
    (
        {"id": 1, "updateIfExists": 1, "privacyConsent": "yes"},
        [["updateIfExists"], ["privacyConsent"]],
    ),
]
