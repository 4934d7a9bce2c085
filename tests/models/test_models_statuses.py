from contactsdk.models import EmailStatus, SmsStatus


def test_the_statuses_have_the_numbers_of_the_platforms_page() -> None:
    assert {
        kind.__name__: {s.name: s.value for s in kind} for kind in (EmailStatus, SmsStatus)
    } == {
        "EmailStatus": {
            "SUBSCRIBED": 1,
            "UNSUBSCRIBED": 2,
            "BOUNCED": 3,
            "REGISTERING": 4,
            "NO_MARKETING": 5,
        },
        "SmsStatus": {"SUBSCRIBED": 1, "UNSUBSCRIBED": 2, "FAILED": 3, "NO_MARKETING": 4},
    }
