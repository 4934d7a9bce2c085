import pytest

from contactsdk.sandbox import DEFAULT_MIX, Fault, FaultKind
from contactsdk.sandbox.faults import FaultPlan

HTML = Fault(FaultKind.HTML)
CUT = Fault(FaultKind.CUT_SHORT)


def test_script_is_followed_in_order_and_then_all_is_well():
    plan = FaultPlan()
    plan.script.extend([HTML, None, CUT])
    assert [plan.draw() for _ in range(4)] == [HTML, None, CUT, None]


def test_scripted_none_goes_before_the_mix():
    plan = FaultPlan()
    plan.mix(1, 1.0, [CUT])
    plan.script.append(None)
    assert [plan.draw(), plan.draw()] == [None, CUT]


def test_same_seed_draws_the_same_faults():
    drawn = []
    for _ in range(2):
        plan = FaultPlan()
        plan.mix(7, 0.3, DEFAULT_MIX)
        drawn.append([plan.draw() for _ in range(200)])
    assert drawn[0] == drawn[1]
    assert 30 < sum(fault is not None for fault in drawn[0]) < 90


def test_share_of_zero_turns_the_mix_off():
    plan = FaultPlan()
    plan.mix(1, 1.0, [CUT])
    plan.mix(1, 0, [])
    assert plan.draw() is None


@pytest.mark.parametrize(("share", "faults"), [(-0.1, [CUT]), (1.1, [CUT]), (0.5, [])])
def test_mix_out_of_range_is_refused(share, faults):
    with pytest.raises(ValueError, match=r"share|faults"):
        FaultPlan().mix(1, share, faults)


def test_default_mix_has_each_kind_once_and_a_clock_an_hour_ahead():
    kinds = [kind for kind in FaultKind if kind is not FaultKind.WRITE_LATE]
    assert [fault.kind for fault in DEFAULT_MIX] == kinds
    assert {fault.clock_off_s for fault in DEFAULT_MIX} == {0.0, 3600.0}
