import datetime
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactsdk.field_values import DateOrder, address_part, converter_of, listing, parts_of
from contactsdk.models import CustomFieldDefinition, FieldOption, FieldType
from tests.examples import any_json

DAY = datetime.date(2026, 11, 2)
COLOURS = (
    FieldOption(value="red", label="Red"),
    FieldOption(value=2, label="Sky blue"),
    FieldOption(value="black, white", label="Black, white"),
)


def a_field(kind: FieldType | None, **changes: Any) -> CustomFieldDefinition:
    return CustomFieldDefinition(field_id=5, name="Field", type=kind, **changes)


def converted(kind: FieldType | None, value: Any, order: DateOrder | None = None) -> Any:
    options = COLOURS if kind in (FieldType.SINGLE_SELECT, FieldType.MULTIPLE_SELECT) else ()
    return converter_of(a_field(kind, options=options), order)(value)


@pytest.mark.parametrize("kind", [FieldType.SMALL_TEXT, FieldType.LARGE_TEXT])
@pytest.mark.parametrize(
    ("value", "text"),
    [("a\nb ", "a\nb "), ("", ""), (5, "5"), (5.0, "5"), (1.5, "1.5"), (DAY, "2026-11-02")],
)
def test_a_text_takes_numbers_and_dates_as_their_text(
    kind: FieldType, value: Any, text: str
) -> None:
    assert converted(kind, value) == text


@pytest.mark.parametrize("value", [True, ["a"], {"a": 1}, datetime.datetime(2026, 11, 2), b"a"])
def test_a_text_takes_nothing_else(value: Any) -> None:
    with pytest.raises(ValueError, match="must be text"):
        converted(FieldType.SMALL_TEXT, value)


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5), (5.0, 5), ("5", 5), (" 10.0 ", 10), ("-7", -7), ("+7", 7), ("007", 7), ("", "")],
)
def test_a_whole_number_is_read_from_its_digits(value: Any, number: Any) -> None:
    assert converted(FieldType.WHOLE_NUMBER, value) == number


@pytest.mark.parametrize("value", ["1,000", "1.5", 1.5, "five", "6.14E+10", "\u0665", "1 000"])
def test_what_is_not_a_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a whole number in digits"):
        converted(FieldType.WHOLE_NUMBER, value)


@pytest.mark.parametrize(
    ("value", "order"),
    [
        (DAY, None),
        (datetime.datetime(2026, 11, 2), None),
        ("2026-11-02", None),
        (" 2026-11-2 ", None),
        ("2026-11-02 00:00:00", None),
        ("2026-11-02T00:00", "dmy"),
        ("2/11/2026", "dmy"),
        ("02.11.2026", "dmy"),
        ("02-11-2026", "dmy"),
        ("02 11 2026", "dmy"),
        ("11/2/2026", "mdy"),
        ("2026/11/02", "ymd"),
    ],
)
def test_a_date_is_plain_or_in_the_order_that_was_given(value: Any, order: Any) -> None:
    assert converted(FieldType.DATE, value, order and DateOrder(order)) == DAY


@pytest.mark.parametrize("value", ["31/12/2026", "31.12.2026", "12/31/2026", " 12-31-2026 "])
def test_a_date_whose_day_can_be_no_month_needs_no_order(value: str) -> None:
    assert converted(FieldType.DATE, value) == datetime.date(2026, 12, 31)


@pytest.mark.parametrize(
    ("value", "order", "message"),
    [
        ("2/11/2026", None, "the date order must be given"),
        ("12/12/2026", None, "the date order must be given"),
        ("31/13/2026", None, "the date order must be given"),
        ("2026/11/31", None, "the date order must be given"),
        ("31/12/26", None, "the date order must be given"),
        ("13/00/2026", None, "a date that exists"),
        ("2/11/26", "dmy", "year has four digits"),
        ("2026/11/02", "dmy", "year has four digits"),
        ("31/12/2026", "mdy", "a date that exists"),
        ("2026-02-30", None, "a date that exists"),
        ("0000-01-01", None, "a date that exists"),
        ("2026-11-02 10:00:00", None, "without a time"),
        ("2/11-2026", "dmy", "without a time"),
        ("soon", "dmy", "without a time"),
        ("46328", "dmy", "without a time"),
        (46328, "dmy", "without a time"),
        (datetime.datetime(2026, 11, 2, 10), None, "without a time"),
        (None, None, "without a time"),
    ],
)
def test_what_is_not_a_date_is_refused_with_what_to_do(
    value: Any, order: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        converted(FieldType.DATE, value, order and DateOrder(order))


def test_an_empty_date_is_sent_as_an_empty_text() -> None:
    assert converted(FieldType.DATE, " ") == ""


@pytest.mark.parametrize(
    ("value", "option"),
    [
        ("Red", "red"),
        (" RED ", "red"),
        ("red", "red"),
        ("sky  blue", 2),
        ("2", 2),
        (2, 2),
        (2.0, 2),
        ("Black, white", "black, white"),
        ("", ""),
    ],
)
def test_an_option_is_named_by_its_label_or_its_value(value: Any, option: Any) -> None:
    assert converted(FieldType.SINGLE_SELECT, value) == option


@pytest.mark.parametrize("value", ["green", "red;2", 3, "black"])
def test_what_is_not_an_option_is_refused_with_the_options(value: Any) -> None:
    with pytest.raises(ValueError, match=r"one of the field's options: red, 2, black, white$"):
        converted(FieldType.SINGLE_SELECT, value)


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("Red; sky blue", ["red", 2]),
        ("red,2", ["red", 2]),
        ("red\n2\n", ["red", 2]),
        ("Red", ["red"]),
        ("Black, white", ["black, white"]),
        (["Red", 2], ["red", 2]),
        (("Black, white",), ["black, white"]),
        ([], []),
        (2, [2]),
        (" ", ""),
    ],
)
def test_several_options_are_a_list_or_one_text(value: Any, options: Any) -> None:
    assert converted(FieldType.MULTIPLE_SELECT, value) == options


@pytest.mark.parametrize("value", ["red;green", ["red", "green"], "green"])
def test_each_of_several_options_is_checked(value: Any) -> None:
    with pytest.raises(ValueError, match="one of the field's options"):
        converted(FieldType.MULTIPLE_SELECT, value)


@pytest.mark.parametrize(
    ("kind", "sent"), [(FieldType.SINGLE_SELECT, "a;b"), (FieldType.MULTIPLE_SELECT, ["a", "b"])]
)
def test_a_select_whose_options_are_not_known_takes_any_text(kind: FieldType, sent: Any) -> None:
    assert converter_of(a_field(kind))("a;b") == sent


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (FieldType.SINGLE_SELECT, "^must be text$"),
        (FieldType.MULTIPLE_SELECT, "^must be a list of options, or text$"),
    ],
)
def test_a_select_whose_options_are_not_known_takes_nothing_else(
    kind: FieldType, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        converter_of(a_field(kind))({"a": 1})


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ({"city": "Perth", "LINE1": "1 Main St"}, {"city": "Perth", "line1": "1 Main St"}),
        ({"postalcode": 6000}, {"postalCode": "6000"}),
        ({"line2": ""}, {"line2": ""}),
        ({}, {}),
        ("", ""),
    ],
)
def test_an_address_is_an_object_of_its_parts(value: Any, sent: Any) -> None:
    assert converted(FieldType.ADDRESS, value) == sent


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1 Main St, Perth", "must be an address with the parts line1, "),
        ({"town": "Perth"}, "must have only the parts line1, .*stateName, each at most once"),
        ({"city": "Perth", "City": "Perth"}, "each at most once"),
        ({5: "Perth"}, "each at most once"),
        ({"city": ["Perth"]}, "must have text as city"),
    ],
)
def test_what_is_not_an_address_is_refused_with_its_parts(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        converted(FieldType.ADDRESS, value)


@pytest.mark.parametrize(
    ("kind", "message"),
    [(FieldType.FILE, "is a file: it"), (FieldType.STATIC_TEXT, "is a static text: it")],
)
def test_a_file_or_a_static_text_cannot_be_set(kind: FieldType, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        converted(kind, "")


@pytest.mark.parametrize("value", ["a", 5, True, ["a"], {"a": 1}], ids=repr)
def test_a_type_that_is_not_known_takes_any_value(value: Any) -> None:
    assert converted(None, value) == value


def refusal_of(kind: FieldType | None, value: Any, order: DateOrder | None) -> str:
    """Why a value is refused; empty if it is not."""
    try:
        converted(kind, value, order)
    except ValueError as error:
        return str(error)
    return ""


@given(st.none() | st.sampled_from(FieldType), any_json, st.none() | st.sampled_from(DateOrder))
def test_any_value_is_converted_or_refused_without_being_repeated(
    kind: FieldType | None, value: Any, order: DateOrder | None
) -> None:
    for marked in (["m4rk", value], "m4rk", {"m4rk": value}, value):
        assert "m4rk" not in refusal_of(kind, marked, order)


@pytest.mark.parametrize("kind", [None, *FieldType])
def test_a_converter_can_be_handed_to_another_process(kind: FieldType | None) -> None:
    converter = converter_of(a_field(kind, options=COLOURS), DateOrder.DMY)
    assert pickle.loads(pickle.dumps(converter))


@pytest.mark.parametrize(
    ("text", "parts"), [("a; b,c\nd", ["a", "b", "c", "d"]), (" ;, \n", []), ("a", ["a"])]
)
def test_a_text_is_divided_into_its_parts(text: str, parts: list[str]) -> None:
    assert parts_of(text) == parts


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], "none"),
        (["a", "b"], "a, b"),
        (
            list("abcdefghijklmnopqrst"),
            "a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t",
        ),
    ],
)
def test_names_are_listed_in_a_sentence(names: list[str], shown: str) -> None:
    assert listing(names) == shown


def test_a_long_list_of_names_says_how_many_more_there_are() -> None:
    assert listing(map(str, range(23))).endswith("18, 19 and 3 more")


@pytest.mark.parametrize(
    ("name", "part"), [("city", "city"), (" POSTALCODE", "postalCode"), ("town", None), ("", None)]
)
def test_a_part_of_an_address_is_known_in_any_case(name: str, part: str | None) -> None:
    assert address_part(name) == part
