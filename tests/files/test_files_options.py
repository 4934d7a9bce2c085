from pathlib import Path
from typing import Any

import pytest

from contactsdk import Contact, EmailStatus, ExternalUrl
from contactsdk.files import FileError, input_options
from tests.files.made import (
    ADA,
    NAMES,
    a_field,
    a_group,
    contact_of,
    csv_input,
    errors,
    fields_of,
    items,
    one_item,
    options_for,
)


@pytest.mark.parametrize(
    "text",
    [
        '"Full Name" = "firstName lastName"\n"E-mail 1 = x" = "email"\n',
        '\ufeff[map]\n"full name" = "first_name last_name"\n"E-MAIL 1 = X" = "email"\n',
    ],
)
def test_map_file_says_what_maps_say(text: str, tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text, "utf-8")
    source = csv_input("Full name,E-mail 1 = x\nAda Mary Archer,ada@example.com\n", map_file=path)
    assert one_item(source) == Contact(
        first_name="Ada Mary", last_name="Archer", email="ada@example.com"
    )


def test_map_of_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('Number = "externalId"\n')
    source = csv_input("id,Number\n7,1\n", map_file=path, maps=["Number=phone"])
    assert one_item(source) == Contact(id=7, phone="1")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Name = ", "this is not TOML: "),
        ("\udcff", "this is not TOML: "),
        ("Name = 5\n", 'write each column as "its header" = "field"; see \'Name\''),
        ("map = 5\n", 'write each column as "its header" = "field"; see \'map\''),
        ('Name = "nothing"\n', "--map \"Name=nothing\": 'nothing' is not a field of a contact"),
    ],
)
def test_map_file_that_says_nothing_is_refused(text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FileError) as caught:
        input_options(map_file=path)
    assert what in str(caught.value)


def test_map_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"map\.toml: No such file"):
        input_options(map_file=tmp_path / "map.toml")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"maps": ["Name"]}, '--map "Name": write it as --map "E-mail 1 - Value=email"'),
        ({"maps": ["Name="]}, '--map "Name=": write it as'),
        ({"maps": ["=email"]}, '--map "=email": write it as'),
        ({"maps": ["Name=nothing"]}, "'nothing' is not a field of a contact; fields are "),
        ({"maps": ["x=customFields.Diet"]}, "'customFields.Diet': a custom field is named by its"),
        ({"sets": ["status"]}, '--set "status": write it as --set "groups=10;11"'),
        ({"sets": ["nothing=1"]}, "--set \"nothing=1\": 'nothing' is not a field of a contact"),
        ({"sets": ["status=Foo"]}, '--set "status=Foo": status must be one of subscribed (1)'),
        ({"sets": ["groups=x"]}, '--set "groups=x": groups holds something that is not an id'),
        ({"sets": ["phone=#REF!"]}, '--set "phone=#REF!": phone holds an error of a spreadsheet'),
        ({"sets": ["groups=;"]}, '--set "groups=;": there is no value'),
        ({"sets": ["id=7"]}, '--set "id=7": every contact needs its own id'),
        ({"sets": ["firstName lastName=A B"]}, "every contact needs its own full_name"),
        ({"sets": ["externalUrls.a=x"]}, "must be an https address"),
    ],
)
def test_option_that_means_nothing_is_refused(options: dict[str, Any], what: str) -> None:
    with pytest.raises(FileError) as caught:
        input_options(**options)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"maps": ["x=customFields.9"]}, {"sets": ["customFields.9=x"]}]
)
def test_custom_field_that_the_account_has_not_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(FileError, match="the account has no custom field 9; it has 5"):
        options_for(custom_fields=[a_field(5, "Mine", 0)], **options)


def test_values_are_set_where_a_row_has_none() -> None:
    text = f"{NAMES},groups,status\n{ADA},12,\n{ADA},,Bounced\n"
    first, second = items(csv_input(text, sets=["groups=10;11", "status=Subscribed"]))
    assert (contact_of(first).groups, contact_of(first).status) == ((12,), EmailStatus.SUBSCRIBED)
    assert (contact_of(second).groups, contact_of(second).status) == ((10, 11), EmailStatus.BOUNCED)


def test_cell_that_cannot_be_read_is_not_replaced() -> None:
    item = one_item(csv_input("id,phone\n7,#REF!\n", sets=["phone=1"]))
    assert list(errors(item)) == [("phone",)]


def test_custom_fields_and_links_are_set_too() -> None:
    sets = ["customFields.5=x", "Mine=y", "Home.city=Town", "externalUrls.a=https://example.com/a"]
    fields = [a_field(5, "Other", 0), a_field(6, "Mine", 0), a_field(9, "Home", 4)]
    text = (
        "id,customFields.5,externalUrls.b,Home.line1\n7,,https://example.com/b,1 High St\n8,own,,\n"
    )
    first, second = items(csv_input(text, sets=sets, custom_fields=fields))
    assert fields_of(contact_of(first)) == [
        (9, {"line1": "1 High St", "city": "Town"}),
        (5, "x"),
        (6, "y"),
    ]
    assert contact_of(first).external_urls == (
        ExternalUrl(ref="b", url="https://example.com/b"),
        ExternalUrl(ref="a", url="https://example.com/a"),
    )
    assert (5, "own") in fields_of(contact_of(second))


def test_own_values_are_not_replaced() -> None:
    sets = ["Home.city=Town", "externalUrls.a=https://example.com/a"]
    text = "id,externalUrls.a,Home.city\n7,https://example.com/b,City\n"
    [item] = items(csv_input(text, sets=sets, custom_fields=[a_field(9, "Home", 4)]))
    assert fields_of(contact_of(item)) == [(9, {"city": "City"})]
    [link] = contact_of(item).external_urls or ()
    assert link.url == "https://example.com/b"


def test_groups_are_set_by_name() -> None:
    options = {"sets": ["groups=VIP"], "groups": [a_group(10, "VIP")]}
    assert one_item(csv_input("id\n7\n", **options)) == Contact(id=7, groups=(10,))
    with pytest.raises(FileError, match=r"its groups are: VIP \(10\)"):
        options_for(sets=["groups=99"], groups=[a_group(10, "VIP")])


def test_adds_update_who_is_there_and_updates_stay_as_they_are() -> None:
    text = f"id,{NAMES},updateIfExists\n,{ADA},\n,{ADA},no\n7,{ADA},\n"
    found = items(csv_input(text, update_if_exists=True))
    assert [contact_of(item).update_if_exists for item in found] == [True, False, None]
