import copy
import datetime
import hashlib
import hmac
import pickle
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contactsdk.signing import Credentials, sign, string_to_sign
from tests.examples import utc_times

CREDENTIALS = Credentials("some-key", "my secret key")
TARGET = "/api/1.0/contact?action=addOrUpdateContact"
DOCUMENTED_AT = datetime.datetime(2012, 4, 3, 22, 23, 24, tzinfo=datetime.UTC).timestamp()

bodies = st.binary(max_size=64)
keys = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1
)
secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_the_documented_body_has_the_documented_md5() -> None:
    headers = sign(None, b'{"example":"body"}', target=TARGET, now=DOCUMENTED_AT)
    assert headers["Content-MD5"] == "a09f600c77a6dbd947db24c61e8935ca"


def test_an_empty_body_has_an_md5_too() -> None:
    headers = sign(None, b"", target=TARGET, now=DOCUMENTED_AT)
    assert headers["Content-MD5"] == "d41d8cd98f00b204e9800998ecf8427e"


def test_the_documented_request_has_the_documented_string_to_sign() -> None:
    text = string_to_sign(
        "a09f600c77a6dbd947db24c61e8935ca", "2012-04-03 22:23:24", "/api/1.0/test?action=ping"
    )
    assert text == (
        "posta09f600c77a6dbd947db24c61e8935caapplication/json"
        "/api/1.0/test?action=ping1.0ivvydate=2012-04-03 22:23:24"
    )


def test_the_documented_text_has_the_documented_signature() -> None:
    assert CREDENTIALS.signature("string to sign") == ("a993876ea1218921a1c8551923473da7b310dfae")


def test_the_string_to_sign_is_lower_cased_as_a_whole() -> None:
    assert string_to_sign("AB", "2012-04-03 22:23:24", "/API?action=Ping") == (
        "postabapplication/json/api?action=ping1.0ivvydate=2012-04-03 22:23:24"
    )


# An independent reading of the platform's page, so that the two may disagree.
@example(b"", datetime.datetime(2012, 4, 3, 22, 23, 24, 0, datetime.UTC), "Key", "S" * 65, TARGET)
@example(b"", datetime.datetime(2012, 4, 3, 22, 23, 24, 999_999, datetime.UTC), "Key", "S", TARGET)
@given(bodies, utc_times, keys, secrets, st.sampled_from([TARGET, "/api/1.0/test?action=ping"]))
def test_the_headers_are_those_of_the_documentation(
    body: bytes, now: datetime.datetime, key: str, secret: str, target: str
) -> None:
    md5 = hashlib.new("md5", body).hexdigest()
    date = (
        f"{now.year:04}-{now.month:02}-{now.day:02} {now.hour:02}:{now.minute:02}:{now.second:02}"
    )
    text = "".join(
        ["post", md5, "application/json", "", target.lower(), "1.0", "ivvydate=", date],
    )
    mac = hmac.new(bytes(secret, "utf-8"), bytes(text, "utf-8"), hashlib.sha1).hexdigest()
    whole_seconds = now.replace(microsecond=0).timestamp()

    assert sign(Credentials(key, secret), body, target=target, now=whole_seconds) == {
        "Content-Type": "application/json",
        "Content-MD5": md5,
        "IVVY-Date": date,
        "X-Api-Version": "1.0",
        "X-Api-Authorization": f"IWS {key}:{mac}",
    }


def test_a_part_of_a_second_is_cut_off() -> None:
    headers = sign(None, b"", target=TARGET, now=DOCUMENTED_AT + 0.999)
    assert headers["IVVY-Date"] == "2012-04-03 22:23:24"


@given(bodies, utc_times)
def test_without_credentials_all_but_the_signature_is_there(
    body: bytes, now: datetime.datetime
) -> None:
    signed = sign(CREDENTIALS, body, target=TARGET, now=now.timestamp())
    del signed["X-Api-Authorization"]
    assert sign(None, body, target=TARGET, now=now.timestamp()) == signed


@pytest.mark.parametrize(
    ("key", "secret", "now", "target"),
    [
        ("other-key", "my secret key", DOCUMENTED_AT, TARGET),
        ("some-key", "other secret", DOCUMENTED_AT, TARGET),
        ("some-key", "my secret key", DOCUMENTED_AT + 1, TARGET),
        ("some-key", "my secret key", DOCUMENTED_AT, "/api/1.0/test?action=ping"),
    ],
    ids=["key", "secret", "time", "target"],
)
def test_whatever_changes_makes_another_authorization(
    key: str, secret: str, now: float, target: str
) -> None:
    documented = sign(CREDENTIALS, b"{}", target=TARGET, now=DOCUMENTED_AT)
    changed = sign(Credentials(key, secret), b"{}", target=target, now=now)
    assert changed["X-Api-Authorization"] != documented["X-Api-Authorization"]


@pytest.mark.parametrize(
    ("key", "secret", "what"),
    [
        ("", "secret", "must not be empty"),
        ("key", "", "must not be empty"),
        ("a key", "secret", "printable ASCII"),
        ("a:key", "secret", "printable ASCII"),
        ("key\r\nX-Other: 1", "secret", "printable ASCII"),
        ("key\n", "secret", "printable ASCII"),
        ("key\x00", "secret", "printable ASCII"),
        ("clé", "secret", "printable ASCII"),
        ("key", "secret\udcff", "not UTF-8"),
    ],
)
def test_credentials_that_cannot_be_sent_are_refused(key: str, secret: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Credentials(key, secret)


@pytest.mark.parametrize("value", [None, b"m4rk", 5, ["m4rk"]], ids=repr)
@pytest.mark.parametrize("name", ["key", "secret"])
def test_credentials_are_strings(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match="must be strings"):
        Credentials(**{"key": "key", "secret": "secret", name: value})


@pytest.mark.parametrize("secret", [" ", "a b:c", "pässwörd", "x" * 500])
def test_a_secret_is_any_text(secret: str) -> None:
    assert Credentials("key", secret).secret == secret


@pytest.mark.parametrize("show", [repr, str, "{}".format], ids=["repr", "str", "format"])
def test_nothing_of_key_or_secret_shows(show: Any) -> None:
    assert show(Credentials("m4rk-key", "m4rk-secret")) == "Credentials()"


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("m4rk key", "m4rk"),
        ("m4rk", ""),
        ("m4rk", "m4rk\ud800"),
        (b"m4rk", "m4rk"),
        ("m4rk", b"m4rk"),
    ],
)
def test_no_error_of_credentials_holds_one_of_them(key: Any, secret: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        Credentials(key, secret)
    error = caught.value
    assert "m4rk" not in f"{error!r} {error.args} {error.__context__!r} {vars(error)}"


def test_credentials_are_frozen() -> None:
    with pytest.raises(AttributeError):
        CREDENTIALS.secret = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_credentials_survive_a_copy(copied: Any) -> None:
    assert copied(CREDENTIALS) == CREDENTIALS
    assert copied(CREDENTIALS).signature("text") == CREDENTIALS.signature("text")


def test_a_text_is_signed_the_same_each_time() -> None:
    assert CREDENTIALS.signature("text") == CREDENTIALS.signature("text")


def test_credentials_are_distinguished_only_by_key_and_secret() -> None:
    assert len({CREDENTIALS, Credentials("some-key", "my secret key"), Credentials("a", "b")}) == 2


def test_evolved_credentials_sign_with_their_own_secret() -> None:
    other = attrs.evolve(CREDENTIALS, secret="other")
    assert other.signature("text") == Credentials("some-key", "other").signature("text")
