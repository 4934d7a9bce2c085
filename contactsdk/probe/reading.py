"""The steps of a probe that change nothing: clocks, errors, groups, custom fields and lists."""

from typing import Final

from contactsdk import wire
from contactsdk.errors import ContactError, StaleDateError
from contactsdk.probe.probing import Probe, ProbeStoppedError
from contactsdk.probe.requests import Reply
from contactsdk.wire.values import timestamp

_FAR_OFF_S: Final = 3600.0
_STALE_AFTER_S: Final = 300.0
_NO_CONTACT: Final = 2_147_483_646
_WAITS_S: Final = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0)


async def see_clocks(probe: Probe) -> None:
    """Compare the clocks with a ping, and ping again with a date that is an hour off.

    Raises:
        ProbeStoppedError: The ping is refused, so no other request would work either.
    """
    requester = probe.asker.requester
    reply = await probe.ask("test?action=ping")
    if str(reply.specific_code) == str(wire.STALE_DATE) and reply.server_time is not None:
        requester.clock_offset_s = reply.server_time - probe.now()
        reply = await probe.ask("test?action=ping")
    if reply.is_refusal:
        raise ProbeStoppedError(
            f"the platform refuses a ping ({reply.codes}): check key and secret"
        )
    ack = str(reply.get("ack"))
    probe.note("timestamps", "with_utc" if ack.endswith("UTC") else "plain")
    platform_now = timestamp(reply.get("ack"))
    if platform_now is not None:
        apart_s = abs(platform_now.timestamp() - probe.now())
        is_near = apart_s < _STALE_AFTER_S
        apart = "less than 5 minutes" if is_near else f"{apart_s / 60:.0f} minutes"
        probe.note("clock", apart, f"{apart_s:.0f} s")
    await _see_stale_date(probe)


async def _see_stale_date(probe: Probe) -> None:
    requester = probe.asker.requester
    right = requester.clock_offset_s
    requester.clock_offset_s = right - _FAR_OFF_S
    try:
        reply = await probe.ask("test?action=ping")
        code = reply.specific_code
        probe.note("stale_date", f"specificCode {code}" if reply.is_refusal else "accepted")
        if reply.is_refusal:
            probe.note("stale_error_code", str(reply.error_code))
            probe.note("stale_date_healed", "yes" if await _is_healed(probe) else "no")
    finally:
        requester.clock_offset_s = right


async def _is_healed(probe: Probe) -> bool:
    """Whether the SDK itself corrects its clock with the time in the answer."""
    requester = probe.asker.requester
    probe.asker.requests += 1
    try:
        await requester.attempt(requester.url("test", "ping"), b"", wire.read_ack)
    except StaleDateError:
        return not (await probe.ask("test?action=ping")).is_refusal
    except ContactError:
        pass
    return False


async def see_errors(probe: Probe) -> None:
    """Check the format of an error: that for an unknown id."""
    reply = await probe.ask("contact?action=getContact", {"id": _NO_CONTACT})
    if reply.error_code is None:
        probe.note("unknown_contact", reply.codes)
        return
    is_text = isinstance(reply.error_code, str)
    probe.note("codes", "text" if is_text else "number")
    is_mirrored = str(reply.status) == str(reply.error_code)
    probe.note("error_status", "mirrored" if is_mirrored else str(reply.status))
    probe.note("unknown_contact_error_code", str(reply.error_code))
    probe.note("unknown_contact", str(reply.specific_code))


async def see_declared(probe: Probe) -> None:
    """Check how groups and custom fields are listed."""
    groups = await probe.ask("contact?action=getSubscriptionGroupList")
    fields = await probe.ask("contact?action=getCustomFieldDefinition")
    for name, reply in (("groups", groups), ("fields", fields)):
        probe.note(name, f"no ({reply.codes})" if reply.is_refusal else "yes")
        if not reply.is_refusal:
            probe.note("declared_lists", "array" if isinstance(reply.body, list) else "wrapped")
    if groups.results:
        probe.group = groups.results[0].get("id")
    probe.fields = [it for it in fields.results if isinstance(it, dict)]
    for definition in probe.fields:
        if values := definition.get("selectValues"):
            probe.note("select_values", _kind_of_values(values))


def _kind_of_values(values: object) -> str:
    if not isinstance(values, list):
        return "object"
    first = values[0]
    if not isinstance(first, dict):
        return "texts"
    return "id_name" if "name" in first and "id" in first else "_".join(sorted(first, reverse=True))


async def see_lists(probe: Probe) -> None:
    """Wait until a list shows the new contact, and check how lists are filtered and sorted."""
    waited_s, listed = 0.0, None
    for wait_s in _WAITS_S:
        await probe.asker.sleep(wait_s)
        waited_s += wait_s
        reply = await probe.listed(externalId=probe.throwaway.external_id)
        if reply.is_refusal:
            probe.note("list_lag", f"lists are refused ({reply.codes})")
            return
        if probe.is_in(reply):
            listed = reply
            break
    if listed is None:
        probe.note("list_lag", f"not within {waited_s:.0f} s")
        return
    probe.note("list_lag", "within 10 s", f"after {waited_s:.1f} s" if waited_s else "at once")
    await _see_filters(probe)
    await _see_bounds(probe, listed)
    await _see_order(probe)


async def _see_filters(probe: Probe) -> None:
    last_name = probe.throwaway.last_name
    if probe.is_in(await probe.listed(lastName="nobody-has-this-name")):
        probe.note("filters", "ignored")
    elif probe.is_in(await probe.listed(lastName=last_name.upper())):
        probe.note("filters", "any_case")
    else:
        is_found = probe.is_in(await probe.listed(lastName=last_name))
        probe.note("filters", "exact" if is_found else "finds nothing")
    reply = await probe.listed(noSuchProperty="x")
    probe.note("unknown_filters", "refuse" if reply.is_refusal else "ignore")


async def _see_bounds(probe: Probe, listed: Reply) -> None:
    own = [it for it in listed.results if int(it["id"]) == probe.contact_id]
    modified = own[0].get("modifiedDate")
    if isinstance(modified, str):
        since = modified.removesuffix(" UTC")
        is_in = probe.is_in(await probe.listed(fromModifiedDate=since))
        probe.note("modified_bounds", "inclusive" if is_in else "exclusive")


async def _see_order(probe: Probe) -> None:
    ids = probe.ids_in(await probe.listed())
    others = [other for other in ids if other != probe.contact_id]
    if not others or probe.contact_id is None:
        return
    probe.note("new_ids", "ascending" if probe.contact_id > max(others) else "scattered")
    if list(ids) == sorted(ids):
        probe.note("list_order", "id")
    else:
        probe.note("list_order", "newest_first" if ids[0] == probe.contact_id else "another")
