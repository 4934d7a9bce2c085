from collections.abc import Iterable
from typing import Any

import pytest

from contactsdk import Contact
from contactsdk.files.column_plan import ColumnRules, plan_of
from contactsdk.files.columns import Column
from contactsdk.files.contacts import ContactMaker
from contactsdk.files.readers import Readers
from contactsdk.models import Item
from tests.files.made import errors

HEADER = ("First Name", "Last Name", "Email", "Phone", "customFields.7", "customFields.7.x")


def maker_of(*header: str) -> ContactMaker:
    return ContactMaker(plan_of(header, ColumnRules()), Readers())


def test_contact_is_made_of_cells() -> None:
    maker = maker_of(*HEADER[:5])
    contact = Contact(
        first_name="Ada", last_name="Archer", email="a@example.com", custom_fields={7: "x"}
    )
    assert maker.from_cells(("Ada", "Archer", "a@example.com", "", "x")) == contact
    assert maker.from_cells(("Ada", "Archer", "a@example.com", "", "x", "", " ")) == contact


def test_contact_is_made_of_values() -> None:
    maker = maker_of("id", "phone", "customFields.7")
    assert maker.from_values((7, 1, [2])) == Contact(id=7, phone="1", custom_fields={7: [2]})


def test_defaults_make_a_contact_by_themselves() -> None:
    defaults = ((Column("id"), 7), (Column("custom_fields", 7, "city"), "Town"))
    assert ContactMaker.of_defaults(defaults) == Contact(id=7, custom_fields={7: {"city": "Town"}})


def test_row_with_one_filled_cell_gets_advice_where_it_is_not_a_contact() -> None:
    maker = maker_of(*HEADER[:4])
    what = errors(maker.from_cells(("Total: 7",)))
    assert what[()] == "only one cell is filled: if it is a title or a total, delete the row"
    assert () not in errors(maker.from_cells(("Ada", "Archer")))


def json_maker(*keys: str, defaults: Iterable[tuple[Column, Any]] = ()) -> ContactMaker:
    return ContactMaker(plan_of(keys, ColumnRules(whole=True)), Readers(), defaults)


def json_item(row: dict[str, Any], *defaults: tuple[Column, Any]) -> Item:
    return json_maker(*row, defaults=defaults).from_values(tuple(row.values()))


def test_key_of_one_custom_field_adds_to_those_of_the_key_of_all() -> None:
    expected = Contact(id=7, custom_fields={5: 1, 6: "x"})
    assert json_item({"id": 7, "customFields": {"5": 1}, "customFields.6": "x"}) == expected
    assert json_item({"customFields.6": "x", "customFields": {"5": 1}, "id": 7}) == expected


def test_null_for_all_custom_fields_leaves_the_key_of_one() -> None:
    row = {"id": 7, "customFields": None, "customFields.6": "x"}
    assert json_item(row) == Contact(id=7, custom_fields={6: "x"})


def test_key_of_one_link_adds_to_those_of_the_key_of_all() -> None:
    links = [{"ref": "b", "url": "https://b.example"}]
    row = {"id": 7, "externalUrls.a": "https://a.example", "externalUrls": links}
    contact = json_item(row)
    assert isinstance(contact, Contact)
    assert [link.ref for link in contact.external_urls or ()] == ["b", "a"]


@pytest.mark.parametrize(
    ("row", "path"),
    [
        (
            {"customFields": [{"fieldId": 5, "value": 1}], "customFields.6": "x"},
            ("customFields", 6),
        ),
        ({"customFields": "text", "customFields.6": "x"}, ("customFields", 6)),
        ({"customFields": {"5": 7}, "customFields.5.city": "x"}, ("customFields", 5, "city")),
        ({"customFields": {"5": None}, "customFields.5.city": "x"}, ("customFields", 5, "city")),
        ({"externalUrls": "text", "externalUrls.a": "https://a.example"}, ("externalUrls", "a")),
    ],
)
def test_key_of_a_part_is_refused_where_the_field_is_given_in_another_shape(
    row: dict[str, Any], path: tuple[Any, ...]
) -> None:
    what = "must not be given beside another key of the same field"
    assert errors(json_item({"id": 7, **row}))[path] == what


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({"customFields": {"5": 7}, "customFields.5": "x"}, ("customFields", 5)),
        (
            {"customFields": {"5": {"city": "y"}}, "customFields.5.city": "x"},
            ("customFields", 5, "city"),
        ),
    ],
)
def test_custom_field_that_is_given_twice_is_refused(
    row: dict[str, Any], path: tuple[Any, ...]
) -> None:
    assert errors(json_item({"id": 7, **row})) == {path: "is given twice"}


@pytest.mark.parametrize(
    ("given", "default", "sent"),
    [
        ([{"fieldId": 8, "value": "y"}], Column("custom_fields", 7), {8: "y", 7: "x"}),
        ([{"fieldId": 7, "value": "y"}], Column("custom_fields", 7), {7: "y"}),
        ([], Column("custom_fields", 7, "city"), {7: {"city": "x"}}),
        (
            [{"fieldId": 7, "value": {"line1": "y"}}],
            Column("custom_fields", 7, "city"),
            {7: {"line1": "y", "city": "x"}},
        ),
        ([{"fieldId": 7, "value": "y"}], Column("custom_fields", 7, "city"), {7: "y"}),
        ({"7": None}, Column("custom_fields", 7, "city"), {7: None}),
        ({"7": "y"}, Column("custom_fields", 7, "city"), {7: "y"}),
        ({"7": {"city": "y"}}, Column("custom_fields", 7, "city"), {7: {"city": "y"}}),
        ({"7": {}}, Column("custom_fields", 7, "city"), {7: {"city": "x"}}),
        (None, Column("custom_fields", 7), None),
    ],
)
def test_default_is_set_where_the_row_does_not_give_the_custom_field(
    given: Any, default: Column, sent: Any
) -> None:
    item = json_item({"id": 7, "customFields": given}, (default, "x"))
    assert item == Contact(id=7, custom_fields=sent)


def test_default_link_is_added_to_those_of_the_row() -> None:
    links = [{"ref": "b", "url": "https://b.example"}]
    default = (Column("external_urls", "a"), "https://a.example")
    other = (Column("external_urls", "b"), "https://c.example")
    contact = json_item({"id": 7, "externalUrls": links}, default, other)
    assert isinstance(contact, Contact)
    found = [(link.ref, link.url) for link in contact.external_urls or ()]
    assert found == [("b", "https://b.example"), ("a", "https://a.example")]


@pytest.mark.parametrize("links", ["text", ["text"]])
def test_default_link_leaves_wrong_links_to_their_message(links: Any) -> None:
    default = (Column("external_urls", "a"), "https://a.example")
    item = json_item({"id": 7, "externalUrls": links}, default)
    assert {path[0] for path in errors(item)} == {"externalUrls"}
