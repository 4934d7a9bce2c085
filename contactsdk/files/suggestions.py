"""What an unknown header probably holds: words for the fields of a contact in several languages."""

import difflib
from typing import Final

from contactsdk.wire import FIELD_NAMES

# Only ever suggested, never taken: "Nom" is a last name in French and a full one in Catalan.
_WORDS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "given name", "forename", "christian name", "prénom", "prenom", "vorname", "nombre",
            "nombres", "nome", "voornaam", "förnamn", "fornavn", "imię", "imie", "etunimi", "fname",
        ),
        "firstName",
    ),
    **dict.fromkeys(
        (
            "surname", "family name", "nom", "nom de famille", "nachname", "familienname",
            "apellido", "apellidos", "cognome", "sobrenome", "apelido", "achternaam", "efternamn",
            "etternavn", "efternavn", "nazwisko", "sukunimi", "lname",
        ),
        "lastName",
    ),
    **dict.fromkeys(
        (
            "name", "full name", "contact name", "contact", "attendee", "guest", "nom complet",
            "nom et prénom", "voller name", "nombre completo", "nome completo", "naam", "namn",
            "navn",
        ),
        "firstName lastName",
    ),
    **dict.fromkeys(
        (
            "e-mail", "mail", "email address", "e-mail address", "courriel", "adresse e-mail",
            "adresse mail", "e-mail-adresse", "correo", "correo electrónico", "e-mailadres",
            "e-post", "sähköposti",
        ),
        "email",
    ),
    **dict.fromkeys(
        (
            "telephone", "telefon", "telefonnummer", "téléphone", "tél", "tel", "teléfono",
            "telefono", "telefone", "telefoon", "mobile", "mobil", "handy", "cell", "portable",
            "phone no", "phone #", "mobile number",
        ),
        "phone",
    ),
    **dict.fromkeys(("group", "gruppe", "groupe", "grupo", "list", "lists"), "groups"),
    **dict.fromkeys(
        ("record id", "contact id", "customer id", "user id", "member id", "reference"),
        "externalId",
    ),
}  # fmt: skip


def suggested_map(name: str) -> str:
    """The `--map` that would take an unknown column, as the end of a sentence; empty if none."""
    word = " ".join(name.replace("_", " ").casefold().split())
    field = _WORDS.get(word)
    if field is None:
        near = difflib.get_close_matches("".join(word.split()), FIELD_NAMES, n=1, cutoff=0.8)
        field = FIELD_NAMES[near[0]] if near else None
    if field in ("custom_fields", "external_urls"):
        field = {"custom_fields": "customFields.<field id>"}.get(field, "externalUrls.<ref>")
    return f' (use --map "{name}={field}" if it holds that)' if field else ""
