"""Guesses what an unknown column holds, by words for a contact's fields in several languages."""

import difflib
from typing import Final

from contactsdk.wire import FIELD_NAMES, platform_name

# These are only suggested, never used: "Nom" is a last name in French and a full name in Catalan.
_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "firstName": (
        "given name", "forename", "christian name", "prénom", "prenom", "vorname", "rufname",
        "nombre", "nombres", "nome", "voornaam", "förnamn", "fornavn", "imię", "imie", "etunimi",
        "fname",
    ),
    "lastName": (
        "surname", "family name", "nom", "nom de famille", "nachname", "familienname", "zuname",
        "apellido", "apellidos", "cognome", "sobrenome", "apelido", "achternaam", "efternamn",
        "etternavn", "efternavn", "nazwisko", "sukunimi", "lname",
    ),
    "firstName lastName": (
        "name", "full name", "contact name", "contact", "attendee", "guest", "nom complet",
        "nom et prénom", "voller name", "nombre completo", "nome completo", "naam", "namn",
        "navn", "ansprechpartner", "teilnehmer",
    ),
    "email": (
        "e-mail", "mail", "email address", "courriel", "adresse e-mail", "adresse mail",
        "e-mail-adresse", "mailadresse", "correo", "correo electrónico", "e-mailadres", "e-post",
        "sähköposti",
    ),
    "phone": (
        "telephone", "telefon", "telefonnummer", "rufnummer", "téléphone", "tél", "tel", "tel nr",
        "teléfono", "telefono", "telefone", "telefoon", "mobile", "mobil", "mobiltelefon",
        "mobilnummer", "handy", "handynummer", "cell", "portable", "phone no", "phone number",
        "mobile number",
    ),
    "groups": (
        "group", "gruppe", "gruppen", "verteiler", "groupe", "groupes", "grupo", "list", "lists",
    ),
    "status": (
        "email status", "newsletter status", "subscription status", "abo status",
        "e-mail-status",
    ),
    "externalId": (
        "record id", "contact id", "customer id", "customer number", "user id", "member id",
        "reference", "kundennummer", "kundennr", "kunden nr", "mitgliedsnummer",
    ),
}  # fmt: skip

_COMPANIES: Final = (
    "company", "company name", "organisation", "organization", "employer", "firma", "unternehmen",
    "société", "entreprise", "empresa", "azienda", "bedrijf",
)  # fmt: skip

_LEAST_FUZZY: Final = 5


def _key(name: str) -> str:
    """A header in lower case, without blanks and punctuation."""
    return "".join(char for char in name.casefold() if char.isalnum())


_FIELDS: Final = {_key(word): field for field, words in _WORDS.items() for word in words}
_COMPANY_KEYS: Final = frozenset(map(_key, _COMPANIES))


def suggested_field(name: str) -> str | None:
    """What an unknown column may hold, as `--map` names it; `None` if nothing is likely."""
    key = _key(name)
    if key in _FIELDS:
        return _FIELDS[key]
    # A short word must match exactly: Ida is not an id.
    fuzzy = len(key) >= _LEAST_FUZZY
    near = difflib.get_close_matches(key, FIELD_NAMES, n=1, cutoff=0.8) if fuzzy else []
    field = FIELD_NAMES[near[0]] if near else None
    if field in ("custom_fields", "external_urls"):
        return "customFields.<field id>" if field == "custom_fields" else "externalUrls.<ref>"
    return field and platform_name(field)


def remark_on(name: str) -> str:
    """A remark on a column with a common header that no field can hold; empty if there is none."""
    if _key(name) in _COMPANY_KEYS:
        return "companies can be given only by their ids, so their names cannot be imported"
    return ""
