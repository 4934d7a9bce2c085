"""The steps of a probe that write its one throwaway contact."""

from typing import Any, Final

from contactsdk.probe.probing import Probe, ProbeStoppedError
from contactsdk.probe.requests import Reply

_PHONE: Final = "+61400000001"
_OTHER_PHONE: Final = "+61400000002"
_NO_GROUP: Final = 2_147_483_646
_TEXT_TYPES: Final = (0, 1)
_SELECT: Final = 2
_STATIC: Final = 7
_REGISTERING: Final = 4
_NO_MARKETING: Final = 5
_BATCH_WAITS_S: Final = (0.5, 1.0, 2.0, 4.0)


async def add(probe: Probe) -> None:
    """Add the throwaway contact.

    Raises:
        ProbeStoppedError: The platform does not accept it.
    """
    throwaway = probe.throwaway
    params = {**throwaway.names, "externalId": throwaway.external_id, "updateIfExists": True}
    reply = await probe.add(**params)
    if reply.is_refusal or not reply.get("id"):
        raise ProbeStoppedError(f"the platform does not add a contact ({reply.codes})")
    written = reply.get("id")
    probe.contact_id = int(written)
    probe.note("written_id", "text" if isinstance(written, str) else "number")
    is_sent = isinstance(reply.body, dict) and "success" in reply.body
    probe.note("success_flag", "sent" if is_sent else "left_out")
    shown = await probe.shown()
    if "phone" not in shown:
        probe.note("unset_fields", "left_out")
    else:
        probe.note("unset_fields", "null" if shown["phone"] is None else "empty")


async def see_update_if_exists(probe: Probe) -> None:
    """Add the same contact again with `updateIfExists`, also with an id of null."""
    params = {**probe.throwaway.names, "phone": _OTHER_PHONE, "updateIfExists": True}
    reply = await probe.add(**params)
    if reply.is_refusal:
        probe.note("update_if_exists", reply.codes)
    else:
        is_same = int(reply.get("id") or 0) == probe.contact_id
        probe.note("update_if_exists", "yes" if is_same else "no, it adds another")
    reply = await probe.add(id=None, **params)
    probe.note("null_id", "refuse" if reply.is_refusal else "absent")


async def see_update(probe: Probe) -> None:
    """Update the fields that later steps try to clear."""
    params: dict[str, Any] = {"phone": _PHONE, "status": _NO_MARKETING, "privacyConsent": True}
    if probe.group is not None:
        params["groups"] = [{"groupId": probe.group}]
    if texts := _text_fields(probe):
        params["customFields"] = [{"fieldId": it, "value": "probe"} for it in texts]
    reply = await probe.update(**params)
    shown = await probe.shown()
    is_applied = shown.get("phone") == _PHONE
    probe.note("update", "yes" if is_applied else f"no ({reply.codes})")


async def see_unchanged(probe: Probe) -> None:
    """Update the phone to the value that it has already, at least a second later."""
    before = await probe.shown()
    if not before.get("phone") or "modifiedDate" not in before:
        return
    await probe.asker.sleep(1.1)
    await probe.update(phone=before["phone"])
    after = await probe.shown()
    is_same = after["modifiedDate"] == before["modifiedDate"]
    probe.note("unchanged_update", "leave" if is_same else "touch")


async def see_nulls(probe: Probe) -> None:
    """Send null for one field of each type, and an empty text."""
    for name, field in (
        ("null_text", "externalId"),
        ("null_number", "status"),
        ("null_boolean", "privacyConsent"),
    ):
        await _see_cleared(probe, name, field, None)
    if probe.group is not None:
        await _see_cleared(probe, "null_list", "groups", None)
    await _see_cleared(probe, "empty_text", "phone", "", cleared="set")


async def see_empty_groups(probe: Probe) -> None:
    """Send an empty list of groups."""
    if probe.group is None:
        return
    await probe.update(groups=[{"groupId": probe.group}])
    await _see_cleared(probe, "empty_groups", "groups", [])


async def _see_cleared(
    probe: Probe, name: str, field: str, value: Any, *, cleared: str = "clear"
) -> None:
    reply = await probe.update(**{field: value})
    if reply.is_refusal:
        probe.note(name, "refuse")
    else:
        probe.note(name, "keep" if (await probe.shown()).get(field) else cleared)


async def see_custom_fields(probe: Probe) -> None:
    """Send one of two custom fields, then null for one, then an empty list of them.

    Also set a static text and an option that a select does not have.
    """
    texts = _text_fields(probe)
    if len(texts) == 2:
        first, second = texts
        reply = await probe.update(customFields=[{"fieldId": first, "value": "probe again"}])
        if not reply.is_refusal:
            values = _values(await probe.shown())
            probe.note("custom_fields", "merge" if second in values else "replace")
        reply = await probe.update(customFields=[{"fieldId": first, "value": None}])
        if reply.is_refusal:
            probe.note("null_custom_field", "refuse")
        else:
            values = _values(await probe.shown())
            probe.note("null_custom_field", "keep" if values.get(first) else "clear")
        await probe.update(customFields=[{"fieldId": first, "value": "probe"}])
        await probe.update(customFields=[])
        is_kept = bool(_values(await probe.shown()))
        probe.note("empty_custom_fields", "keep" if is_kept else "clear")
    for name, kind in (("static_text", _STATIC), ("unlisted_selection", _SELECT)):
        if field_id := _field_of(probe, kind):
            value = [{"fieldId": field_id, "value": "no such option"}]
            reply = await probe.update(customFields=value)
            accepted = "ignore" if kind == _STATIC else "accept"
            probe.note(name, "refuse" if reply.is_refusal else accepted)


async def see_refusals(probe: Probe) -> None:
    """Send invalid values, and a parameter that no page of the platform documents."""
    reply = await probe.update(status=_REGISTERING)
    probe.note("status_registering", "refuse" if reply.is_refusal else "accept")
    await _see_sms_status(probe)
    reply = await probe.update(contactsdkProbe=1)
    probe.note("unknown_parameters", "refuse" if reply.is_refusal else "ignore")
    reply = await probe.update(groups=[{"groupId": _NO_GROUP}])
    probe.note("wrong_group", reply.codes)
    reply = await probe.update(email="no address")
    probe.note("wrong_email", reply.codes)


async def _see_sms_status(probe: Probe) -> None:
    reply = await probe.update(smsStatus=2, status=_NO_MARKETING)
    if reply.is_refusal:
        probe.note("sms_status", "refuse")
        return
    is_kept = (await probe.shown()).get("smsStatus") == 2
    probe.note("sms_status", "accept" if is_kept else "ignore")


async def see_batch(probe: Probe) -> None:
    """Update the contact twice in one batch."""
    sent = [{"id": probe.contact_id, "phone": phone} for phone in (_PHONE, _OTHER_PHONE)]
    jobs = [
        {"namespace": "contact", "action": "addOrUpdateContact", "params": params}
        for params in sent
    ]
    reply = await probe.ask("batch?action=run", {"jobs": jobs})
    if reply.is_refusal:
        probe.note("batch", f"no ({reply.codes})")
        return
    results = await _results_of(probe, reply.get("asyncId"))
    if results.is_refusal:
        probe.note("batch", f"yes, without results ({results.codes})")
        return
    probe.note("batch", "yes")
    echoes = [item.get("request") for item in results.results if isinstance(item, dict)]
    probe.note("batch_echo", "as_sent" if echoes == sent else "normalised")
    is_in_order = (await probe.shown()).get("phone") == _OTHER_PHONE
    probe.note("batch_order", "as_sent" if is_in_order else "shuffled")


async def _results_of(probe: Probe, async_id: Any) -> Reply:
    """The results of a batch, or the last refusal of the platform to return them."""
    results = await probe.ask("batch?action=results", {"async": async_id})
    for wait_s in _BATCH_WAITS_S:
        if not results.is_refusal:
            break
        await probe.asker.sleep(wait_s)
        results = await probe.ask("batch?action=results", {"async": async_id})
    return results


def _text_fields(probe: Probe) -> list[int]:
    """The ids of two custom fields of text; empty if the account has fewer than two."""
    found = [it["fieldId"] for it in probe.fields if _is_usable(it, *_TEXT_TYPES)]
    return [int(field_id) for field_id in found[:2]] if len(found) >= 2 else []


def _field_of(probe: Probe, kind: int) -> int | None:
    found = (int(it["fieldId"]) for it in probe.fields if _is_usable(it, kind))
    return next(found, None)


def _is_usable(definition: dict[str, Any], *kinds: int) -> bool:
    is_active = definition.get("isActive") not in (False, 0, "0")
    return is_active and str(definition.get("fieldType")) in map(str, kinds)


def _values(shown: dict[str, Any]) -> dict[int, Any]:
    fields = shown.get("customFields") or ()
    return {int(it["fieldId"]): it.get("value") for it in fields if isinstance(it, dict)}
