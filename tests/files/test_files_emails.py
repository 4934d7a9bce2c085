import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.files.cells import CellError
from contactsdk.files.emails import INVALID, email_of, reason_of
from tests.files.made import csv_input, errors, one_item


@pytest.mark.parametrize(
    "cell",
    [
        "ida@example.com",
        " ida@example.com\u00a0",
        "\ufeffida@example.com\u200b",
        "mailto:ida@example.com",
        "MAILTO: ida@example.com?subject=Hello",
        "<ida@example.com>",
        "Ida Berg <ida@example.com>",
        '"Berg, Ida" < ida@example.com >',
        "IDA@example.com <ida@example.com>",
        "'ida@example.com'",
    ],
)
def test_address_is_found_in_its_cell(cell: str) -> None:
    assert email_of(cell) == "ida@example.com"


def test_case_of_an_address_stays() -> None:
    assert email_of("IDA@EXAMPLE.COM") == "IDA@EXAMPLE.COM"


def test_doubled_at_sign_is_no_second_address() -> None:
    address = email_of("ada@@example.com")
    assert address == "ada@@example.com"
    assert reason_of(address) == "must be a valid email address: it has two @ in a row"


@pytest.mark.parametrize(
    "cell",
    [
        "ida@example.com; ida2@example.com",
        "ida@example.com,ida2@example.com",
        "ida@example.com / ida2@example.com",
        "ida@example.com ::: ida2@example.com",
        "Ida <ida@example.com>, Ole <ole@example.com>",
        "ole@example.com <ida@example.com>",
        "ida@example.com ida2@example.com",
    ],
)
def test_several_addresses_fail(cell: str) -> None:
    with pytest.raises(CellError, match="several addresses: keep one"):
        email_of(cell)


def test_quoted_at_sign_is_not_a_second_address() -> None:
    assert email_of('"a@b"@example.com') == '"a@b"@example.com'


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("ida@\u200bexample.com", "zero width space, character 5"),
        ("ida\u00a0@example.com", "no-break space, character 4"),
        ("ida\n@example.com", "u+000a, character 4"),
    ],
)
def test_invisible_character_fails_and_is_named(cell: str, name: str) -> None:
    with pytest.raises(CellError, match="an invisible character") as caught:
        email_of(cell)
    assert name in str(caught.value).replace("U+", "u+")


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("ida", "has no @"),
        ("ida @example.com", "has a blank in it"),
        ("ida@example,com", "has a comma in it: a period, or a second address?"),
        ("ida;@example.com", "has a semicolon in it: a second address?"),
        ("@example.com", "has nothing before its @"),
        ("ida@", "has nothing after its @"),
        ("ida@example.com.", "ends with a period"),
        ("ida@example..com", "has two periods in a row"),
        ("ida.@example.com", "has a period at an end of its first part"),
        ("ida@example", "has no period after its @: the end of its domain is missing"),
        ("Ida <nobody", "has no @"),
    ],
)
def test_why_an_address_is_wrong_is_reported(cell: str, reason: str) -> None:
    item = one_item(csv_input(f'id,email\n7,"{cell}"\n'))
    assert errors(item) == {("email",): f"{INVALID}: it {reason}"}


def test_other_reasons_are_not_guessed() -> None:
    assert reason_of("ida@exa_mple.com") == INVALID


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=3))
def test_reason_does_not_repeat_the_address(address: str) -> None:
    reasons = reason_of(f"{address}x{address}")
    assert f"{address}x{address}" not in reasons
