"""What users import."""

import contactsdk


def test_public_names_are_there_sorted_and_documented() -> None:
    assert contactsdk.__all__ == sorted(contactsdk.__all__)
    for name in contactsdk.__all__:
        assert getattr(contactsdk, name).__doc__


def test_nothing_else_is_public() -> None:
    modules = {
        "bulk",
        "client",
        "errors",
        "journal",
        "models",
        "pacing",
        "retry",
        "signing",
        "wire",
    }
    public = {name for name in vars(contactsdk) if not name.startswith("_")}

    assert public - modules - {"cli", "files", "sandbox"} == set(contactsdk.__all__)
