from contactsdk import Contact
from contactsdk.files.column_plan import ColumnRules, plan_of
from contactsdk.files.columns import Column
from contactsdk.files.contacts import ContactMaker
from contactsdk.files.readers import Readers
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


def test_row_with_one_filled_cell_gets_advice_where_it_is_no_contact() -> None:
    maker = maker_of(*HEADER[:4])
    what = errors(maker.from_cells(("Total: 7",)))
    assert what[()] == "only one cell is filled: a title or a total is to be deleted"
    assert () not in errors(maker.from_cells(("Ada", "Archer")))


def test_default_of_custom_fields_leaves_a_list_of_them_as_it_is() -> None:
    plan = plan_of(("id", "customFields"), ColumnRules(whole=True))
    maker = ContactMaker(plan, Readers(), [(Column("custom_fields", 7), "x")])
    parts = [{"fieldId": 8, "value": "y"}]
    assert maker.from_values((7, parts)) == Contact(id=7, custom_fields={8: "y"})
