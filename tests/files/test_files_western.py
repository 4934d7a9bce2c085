import pytest

from contactsdk.files.western import is_western

WESTERN = (
    "Jörg Müller", "José Muñoz", "São João", "Žiga Šket", "Françoise Çelik", "Þórður Ævar",
    "Ølstad", "O\u2019Brien\u2019s", "Éric", "ÅSA ÖBERG", "120 m² plan", "£5", "¿Qué tal?",
    "il·lusió", "Citroën ®", "caffè\u2014latte", "\u201cquoted\u201d", "Nº 5", "Dürer, Albrecht",
    "Æ", "Zoë Nür", "Straße", "Groß-Gerau", "5 €", "D\u2019Angelo", "È", "L\u2019Haÿ", "plain",
)  # fmt: skip

OTHERS = (
    ("Иван", "cp1251"), ("Michał", "cp1250"), ("Łukasz", "cp1250"), ("Jiří", "cp1250"),
    ("Dvořák", "cp1250"), ("Müller", "mac-roman"), ("José", "mac-roman"), ("Jörg", "cp850"),
    ("Γιώργος", "cp1253"), ("山田", "shift-jis"), ("Světlá", "cp1250"), ("王小明", "gbk"),
    ("שלום", "cp1255"), ("Müller", "utf-8"), ("Grzyb¹", "cp1252"), ("öäüö", "cp1252"),
)  # fmt: skip


@pytest.mark.parametrize("text", WESTERN)
def test_western_text_is_western(text: str) -> None:
    assert is_western(text)


@pytest.mark.parametrize(("text", "codec"), OTHERS)
def test_text_of_another_encoding_is_not(text: str, codec: str) -> None:
    assert not is_western(text.encode(codec).decode("cp1252", "replace"))
