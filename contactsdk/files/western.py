"""Checks whether text is in a Western language, to tell Windows-1252 from similar encodings.

Nearly every byte of Windows-1250 (Polish), 1251 (Cyrillic) or Mac Roman also has a meaning in
Windows-1252, so successful decoding proves nothing. But a wrong decoding gives words that no
Western language has: with a superscript within a name, or with letters that are never in one
alphabet.
"""

import re
from typing import Final

_BETWEEN_WORDS: Final = re.compile(r"[\s!-&(-/:-@\[-`{-~]+")

_ALPHABETS: Final = tuple(
    frozenset(letters)
    for letters in (
        "äöüß",  # German
        "àâæçéèêëîïôœùûüÿ",  # French
        "áéíóúüñ",  # Spanish
        "àçèéíïòóúü",  # Catalan
        "ãõâêôáéíóúàçü",  # Portuguese
        "àèéìíîòóùú",  # Italian
        "æøåéèêóòôäöü",  # Danish, Norwegian
        "åäöéàüæøšž",  # Swedish, Finnish
        "áðéíóúýþæö",  # Icelandic
        "áéíóúàèëïöüê",  # Dutch, Irish
        "äõöüšž",  # Estonian
    )
)
_JOINING: Final = frozenset(
    "\u2019\u2018\u00b4\u2013\u2014·\u00ad"
)  # may stand between two letters
_NEVER_BEFORE_LETTERS: Final = frozenset("£¥¤¦¢¹²³¼½¾±¶\u00b8¯¨¬")
_NEVER_AFTER_WORDS: Final = frozenset("¹²³¿¼½¾¯\u00b8£¥¤¦±¬")
_SHORT: Final = 3  # m² is not a word


def is_western(text: str) -> bool:
    """Whether each word of `text`, decoded as Windows-1252, can be one of a Western language."""
    words = (word for word in _BETWEEN_WORDS.split(text) if not word.isascii())
    return all(map(_is_plausible, words))


def _is_plausible(word: str) -> bool:
    letters = [char for char in word if char.isalpha() and char not in "ªº"]
    foreign = {char.lower() for char in letters if char > "\x7f"}
    if not any(foreign <= alphabet for alphabet in _ALPHABETS):
        return False
    if len(letters) > _SHORT and sum(char > "\x7f" for char in letters) > 0.6 * len(letters):
        return False
    return all(_fits(word, place) for place, char in enumerate(word) if char > "\x7f")


def _fits(word: str, place: int) -> bool:
    char = word[place]
    before, after = word[place - 1 : place], word[place + 1 : place + 2]
    if char.isalpha() and char not in "ªº":
        # A capital letter within a word of small letters is a small letter of another encoding.
        is_within = before.islower() or (before.isalpha() and after.islower())
        return not (char.isupper() and is_within)
    if before.isalpha() and after.isalpha():
        return char in _JOINING
    if after.isalpha():
        return char not in _NEVER_BEFORE_LETTERS
    return char not in _NEVER_AFTER_WORDS or place < _SHORT
