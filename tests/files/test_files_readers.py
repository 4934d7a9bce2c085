import pytest

from contactsdk import Contact
from tests.files.made import csv_input, errors, one_item

MAP = "Name=firstName lastName"


@pytest.mark.parametrize(
    ("cell", "target", "names"),
    [
        ("Ida Berg", "firstName lastName", ("Ida", "Berg")),
        (" Ida\u00a0Maria  Berg ", "firstName lastName", ("Ida Maria", "Berg")),
        ("Berg Ida", "lastName firstName", ("Ida", "Berg")),
        ("", "firstName lastName", (None, None)),
        ("\u200b", "firstName lastName", (None, None)),
    ],
)
def test_full_name_is_divided_at_its_last_blank(
    cell: str, target: str, names: tuple[str | None, str | None]
) -> None:
    item = one_item(csv_input(f'id,Name\n7,"{cell}"\n', maps=[f"Name={target}"]))
    assert item == Contact(id=7, first_name=names[0], last_name=names[1])


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("Ida", "must be a first and a last name with a blank between them"),
        ("Berg, Ida", "must not have a comma: put first and last name in two columns"),
    ],
)
def test_full_name_that_cannot_be_divided_fails_only_with_that(cell: str, what: str) -> None:
    item = one_item(csv_input(f'Name,Email\n"{cell}",a@example.com\n', maps=[MAP]))
    assert list(errors(item).values()) == [what]
