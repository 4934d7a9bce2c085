import hashlib

import pytest
from multidict import CIMultiDict

from contactsdk.sandbox.replies import RefusedError
from contactsdk.sandbox.signatures import signature, string_to_sign, verify

TARGET = "/api/1.0/test?action=ping"
BODY = b'{"example":"body"}'
MD5 = "a09f600c77a6dbd947db24c61e8935ca"
SENT_AT = 1333491804.0  # 2012-04-03 22:23:24 UTC


def headers(**changes: str | None) -> CIMultiDict[str]:
    plain = {
        "Content-Type": "application/json",
        "Content-MD5": MD5,
        "IVVY-Date": "2012-04-03 22:23:24",
        "X-Api-Version": "1.0",
    }
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    merged = {name: value for name, value in {**plain, **named}.items() if value is not None}
    return CIMultiDict(merged)


def check(
    given: CIMultiDict[str], body: bytes = BODY, now: float = SENT_AT, stale_error_code: int = 401
) -> None:
    signed = signature("secret", string_to_sign(TARGET, given, hashlib.md5(body).hexdigest()))
    given.setdefault("X-Api-Authorization", f"IWS key:{signed}")
    verify(
        TARGET,
        given,
        body,
        key="key",
        secret="secret",
        now=now,
        stale_error_code=stale_error_code,
    )


def test_documented_body_has_the_documented_md5() -> None:
    assert hashlib.md5(BODY).hexdigest() == MD5


def test_documented_request_has_the_documented_string_to_sign() -> None:
    assert string_to_sign(TARGET, headers(), MD5) == (
        "posta09f600c77a6dbd947db24c61e8935caapplication/json"
        "/api/1.0/test?action=ping1.0ivvydate=2012-04-03 22:23:24"
    )


def test_documented_string_has_the_documented_signature() -> None:
    signed = signature("my secret key", "string to sign")
    assert signed == "a993876ea1218921a1c8551923473da7b310dfae"


def test_every_ivvy_header_is_signed_in_order_of_name_and_date_is_not() -> None:
    given = headers(ivvy_b_c="X", IVVY_A="y", Date="not signed")
    signed = string_to_sign(TARGET, given, MD5)
    assert signed.endswith("ping1.0ivvya=y&ivvybc=x&ivvydate=2012-04-03 22:23:24")


@pytest.mark.parametrize(
    "given",
    [
        headers(),
        headers(Content_Type="application/json; charset=utf-8"),
        headers(Content_Type=None),
        headers(X_Api_Version=None),
        headers(IVVY_Date="2012-04-03 22:23:24 UTC"),
        headers(IVVY_Date=None, Date="Tue, 03 Apr 2012 22:23:24 GMT"),
        headers(IVVY_Note="\udcff"),
    ],
)
def test_well_signed_request_is_accepted(given: CIMultiDict[str]) -> None:
    check(given)


@pytest.mark.parametrize(
    "given",
    [
        headers(Content_MD5=None),
        headers(Content_MD5="0" * 32),
        headers(X_Api_Version="2.0"),
        headers(X_Api_Authorization=""),
        headers(X_Api_Authorization="IWS key:\udcff"),
        headers(X_Api_Authorization="IWS other:" + "0" * 40),
    ],
)
def test_badly_signed_request_is_unauthorized(given: CIMultiDict[str]) -> None:
    with pytest.raises(RefusedError) as refused:
        check(given)
    assert refused.value.error_code == 401


@pytest.mark.parametrize("off_s", [-300, 300])
def test_request_is_fresh_for_five_minutes_around_the_clock(off_s: float) -> None:
    check(headers(), now=SENT_AT + off_s)


@pytest.mark.parametrize(
    ("given", "now"),
    [
        (headers(), SENT_AT + 301),
        (headers(), SENT_AT - 301),
        (headers(IVVY_Date="yesterday"), SENT_AT),
        (headers(IVVY_Date=None, Date="yesterday"), SENT_AT),
        (headers(IVVY_Date=None), SENT_AT),
    ],
)
def test_request_without_a_fresh_date_is_stale(given: CIMultiDict[str], now: float) -> None:
    with pytest.raises(RefusedError) as refused:
        check(given, now=now)
    assert (refused.value.error_code, refused.value.specific_code) == (401, 23005)


def test_stale_date_may_have_another_error_code() -> None:
    with pytest.raises(RefusedError) as refused:
        check(headers(), now=SENT_AT + 301, stale_error_code=400)
    assert (refused.value.error_code, refused.value.specific_code) == (400, 23005)
