"""What the list of contacts is asked, and what it answers.

Source: the platform's page "Get Contact List".
"""

from collections.abc import Mapping

import orjson

from contactsdk.errors import UncertainError
from contactsdk.wire.answers import read_object
from contactsdk.wire.values import whole_number


def encode_search(external_id: str, start: int) -> bytes:
    """The body that lists contacts with this external id, from the `start`-th on."""
    return orjson.dumps({"filter": {"externalId": external_id}, "perPage": 100, "start": start})


def read_found(
    external_id: str, status: int, headers: Mapping[str, str], body: bytes
) -> dict[int, bool]:
    """The ids on a page of the list, in its order, and whether each has this external id.

    Raises:
        ContactError: The answer is no such page; which subclass says what is known.
    """
    results = read_object(status, headers, body).get("results")
    if not isinstance(results, list):
        raise UncertainError("the answer holds no list of contacts", http_status=status)
    found: dict[int, bool] = {}
    for result in results:
        number = whole_number(result.get("id")) if isinstance(result, dict) else None
        if number is None or number < 1:
            raise UncertainError("the list holds a contact without an id", http_status=status)
        # No page says that the filter is exact.
        its = result.get("externalId", external_id)
        found[number] = its is not None and str(its) == external_id
    return found
