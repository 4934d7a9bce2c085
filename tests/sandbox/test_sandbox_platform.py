from typing import Any

import pytest
from sandbox.asking import ADD, FIELDS, GET, GROUPS, JOIN, LIST, PING, REPOST, RUN, batch_of
from sandbox.made import BOBBY, NOON, Clock, rules

from contactsdk.sandbox import Batch, FieldType, Ledger
from contactsdk.sandbox.account import Account
from contactsdk.sandbox.platform import Origin, Platform, read_object
from contactsdk.sandbox.replies import Refused, Unsuccessful


def platform_of(account: Account | None = None, **guesses: Any) -> Platform:
    return Platform(rules(account, **guesses), Clock(), Ledger())


def call(platform: Platform, action: str, params: dict[str, Any] | None = None) -> Any:
    import orjson

    body = b"" if params is None else orjson.dumps(params)
    return platform.call(action, body, Origin(request=1), NOON)


def refusal(platform: Platform, action: str, params: dict[str, Any]) -> Refused:
    with pytest.raises(Refused) as refused:
        call(platform, action, params)
    return refused.value


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b'{"a":NaN}', b'{"a":1e999}', b"\xff", b"[" * 5000]
)
def test_body_that_is_no_json_object_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_object(body)
    assert caught.value.error_code == 400
