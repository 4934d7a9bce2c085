import json

from contactsdk.probe import ASSUMPTIONS, Assumption, Finding, as_json, as_table, broken_promises

KEPT = Assumption(name="a", question="Is it?", assumed="yes", promise="it holds")
FREE = Assumption(name="b", question="Which one is it?", assumed="first")
FINDINGS = (
    Finding(assumption=KEPT, seen="no"),
    Finding(assumption=KEPT, seen="never"),
    Finding(assumption=FREE, seen="second"),
    Finding(assumption=FREE, seen="first", detail="after 2 s"),
    Finding(assumption=KEPT, seen=None),
)


def test_table_shows_what_was_assumed_and_what_was_seen() -> None:
    assert as_table(FINDINGS[2:]).splitlines() == [
        "   question          assumed  seen",
        "!  Which one is it?  first    second",
        "=  Which one is it?  first    first (after 2 s)",
        "   Is it?            yes      not tried",
    ]


def test_promise_that_does_not_hold_is_named_once() -> None:
    assert broken_promises(FINDINGS) == ["it holds"]
    assert as_table(FINDINGS).endswith(
        "\nThese promises of the README do not hold on this account:\n- it holds"
    )


def test_report_is_json_that_holds_the_findings() -> None:
    report = json.loads(as_json(FINDINGS[:1], version="1.2", requests=3))
    assert report.pop("python")
    assert report == {
        "contactsdk": "1.2",
        "requests": 3,
        "findings": [
            {
                "name": "a",
                "question": "Is it?",
                "assumed": "yes",
                "seen": "no",
                "detail": "",
                "as_assumed": False,
            }
        ],
        "broken_promises": ["it holds"],
    }


def test_each_assumption_has_a_name_of_its_own_and_a_question() -> None:
    names = [assumption.name for assumption in ASSUMPTIONS]
    assert len(set(names)) == len(names)
    assert all(assumption.question.endswith("?") for assumption in ASSUMPTIONS)
