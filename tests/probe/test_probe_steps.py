"""Steps of a probe against platforms that answer as the sandbox never does."""

from typing import Any

import pytest

from contactsdk.probe import probe
from contactsdk.probe.reading import see_clocks, see_declared, see_errors, see_lists
from contactsdk.probe.writing import see_custom_fields, see_unchanged, see_update_if_exists
from tests.probe.answering import probing
from tests.probe.probed import seen

ADD = "contact?action=addOrUpdateContact"
GET = "contact?action=getContact"
LIST = "contact?action=getContactList"
PING = "test?action=ping"
GROUPS = "contact?action=getSubscriptionGroupList"
FIELDS = "contact?action=getCustomFieldDefinition"
STALE = {"errorCode": "400", "specificCode": "23005"}


async def test_platform_that_takes_any_date_is_seen() -> None:
    async with probing({PING: (200, {"ack": "2026-11-26 09:00:00"})}) as made:
        await see_clocks(made)
        assert seen(made)["stale_date"] == "accepted"
        assert seen(made)["stale_error_code"] is None
        assert seen(made)["clock"] is not None


async def test_ping_without_a_time_says_nothing_about_clocks() -> None:
    async with probing({PING: (200, {"ack": "soon"})}) as made:
        await see_clocks(made)
        assert seen(made)["clock"] is None


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"1": "Red"}, "object"),
        ([{"value": 1, "label": "Red"}], "value_label"),
        ([{"id": 1, "name": "Red"}], "id_name"),
        (["Red"], "texts"),
    ],
)
async def test_shape_of_options_is_seen(values: Any, kind: str) -> None:
    fields = [{"fieldId": 1, "fieldType": 2, "selectValues": values}]
    async with probing({GROUPS: (200, {"results": []}), FIELDS: (200, fields)}) as made:
        await see_declared(made)
        assert seen(made)["select_values"] == kind


async def test_error_without_a_code_of_the_platform_is_seen_by_its_status() -> None:
    async with probing({GET: (404, {"what": "nothing here"})}) as made:
        await see_errors(made)
        assert seen(made)["unknown_contact"] == "404/none"
        assert seen(made)["codes"] is None


async def test_unknown_id_that_is_refused_with_another_code_is_seen() -> None:
    async with probing({GET: (200, {"errorCode": "406", "specificCode": 1})}) as made:
        await see_errors(made)
        found = seen(made)
        assert (found["codes"], found["error_status"]) == ("text", "200")
        assert (found["unknown_contact_error_code"], found["unknown_contact"]) == ("406", "1")


async def test_list_without_dates_says_nothing_about_bounds() -> None:
    async with probing({LIST: (200, {"results": [{"id": 7}]})}) as made:
        await see_lists(made)
        assert seen(made)["list_lag"] == "within 10 s"
        assert seen(made)["filters"] == "ignored"
        assert seen(made)["modified_bounds"] is None
        assert seen(made)["new_ids"] is None


@pytest.mark.parametrize(
    ("ids", "order", "new_ids"),
    [
        ([7, 3, 5], "newest_first", "ascending"),
        ([5, 3, 7], "another", "ascending"),
        ([7, 8], "id", "scattered"),
    ],
)
async def test_order_of_a_list_is_seen(ids: list[int], order: str, new_ids: str) -> None:
    results = [{"id": id_} for id_ in ids]
    async with probing({LIST: (200, {"results": results})}) as made:
        await see_lists(made)
        assert (seen(made)["list_order"], seen(made)["new_ids"]) == (order, new_ids)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ((400, {"errorCode": 400}), "400/none"),
        ((200, {"success": False, "message": "no"}), "200/none"),
        ((200, {"id": "7"}), "yes"),
        ((200, {"id": 8}), "no, it adds another"),
        ((200, {}), "no, it adds another"),
    ],
)
async def test_answer_to_update_if_exists_is_seen(answer: tuple[int, Any], what: str) -> None:
    async with probing({ADD: answer}) as made:
        await see_update_if_exists(made)
        assert seen(made)["update_if_exists"] == what


async def test_custom_fields_that_are_refused_say_nothing_of_merging() -> None:
    async with probing({ADD: (400, {"errorCode": 400}), GET: (200, {"id": 7})}) as made:
        made.fields = [{"fieldId": number, "fieldType": 0} for number in (1, 2)]
        await see_custom_fields(made)
        assert seen(made)["custom_fields"] is None
        assert seen(made)["null_custom_field"] == "refuse"


async def test_contact_that_shows_no_phone_says_nothing_about_unchanged_updates() -> None:
    async with probing({GET: (200, {"id": 7, "phone": None})}) as made:
        await see_unchanged(made)
        assert seen(made)["unchanged_update"] is None


@pytest.mark.parametrize("results", [[{"name": "x"}], [{"id": "x"}], [{"id": None}]])
async def test_answer_of_an_unknown_shape_ends_the_probe(results: Any) -> None:
    async with probing({LIST: (200, {"results": results})}) as made:
        why = await probe(made, [see_lists, see_errors])

    assert why is not None
    assert why.startswith("the step see_lists got an answer of an unknown shape")
