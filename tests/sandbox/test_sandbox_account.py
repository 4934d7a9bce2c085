from contactsdk.sandbox import FieldDefinition, FieldType
from contactsdk.sandbox.account import Account

COLOUR = FieldDefinition(field_type=FieldType.SINGLE_SELECT, display_name="Colour")


def test_nothing_declared_is_anything_allowed() -> None:
    account = Account.declared()
    assert (account.groups, account.companies, account.custom_fields) == (None, None, None)


def test_groups_without_names_get_some() -> None:
    assert Account.declared(groups=[10]).groups == {10: "Group 10"}
    assert Account.declared(groups={10: "News"}).groups == {10: "News"}


def test_no_group_is_not_any_group() -> None:
    assert Account.declared(groups=[], companies=[], custom_fields={}) == Account(
        groups={}, companies=frozenset(), custom_fields={}
    )


def test_custom_field_may_be_declared_only_by_its_type() -> None:
    account = Account.declared(custom_fields={1: FieldType.DATE, 2: COLOUR})
    assert account.custom_fields == {1: FieldDefinition(field_type=FieldType.DATE), 2: COLOUR}


def test_custom_field_has_a_display_name_also_where_none_was_declared() -> None:
    account = Account.declared(custom_fields={1: FieldType.DATE, 2: COLOUR})
    assert [account.display_name(it) for it in (1, 2, 3)] == ["Field 1", "Colour", "Field 3"]
    assert Account().display_name(1) == "Field 1"
