from collections import Counter

import pytest

from contactsdk.sandbox import DEFAULT_MIX, JOB_MIX, Fault, FaultKind, JobFault
from contactsdk.sandbox.faults import FaultPlan

HTML = Fault(FaultKind.HTML)
CUT = Fault(FaultKind.CUT_SHORT)
GONE = Fault(FaultKind.WRITE_AFTER_GONE)


def test_script_is_followed_in_order_and_then_all_is_well() -> None:
    plan: FaultPlan[Fault] = FaultPlan()
    plan.script.extend([HTML, None, CUT])
    assert [plan.draw() for _ in range(4)] == [HTML, None, CUT, None]


def test_scripted_none_goes_before_the_mix() -> None:
    plan: FaultPlan[Fault] = FaultPlan()
    plan.mix(1, 1.0, [CUT])
    plan.script.append(None)
    assert [plan.draw(), plan.draw()] == [None, CUT]


def test_same_seed_draws_the_same_faults() -> None:
    drawn = []
    for _ in range(2):
        plan: FaultPlan[Fault] = FaultPlan()
        plan.mix(7, 0.3, DEFAULT_MIX)
        drawn.append([plan.draw() for _ in range(200)])
    assert drawn[0] == drawn[1]
    assert 30 < sum(fault is not None for fault in drawn[0]) < 90


def test_share_of_zero_turns_the_mix_off() -> None:
    plan: FaultPlan[Fault] = FaultPlan()
    plan.mix(1, 1.0, [CUT])
    plan.mix(1, 0, [])
    assert plan.draw() is None


@pytest.mark.parametrize(("share", "faults"), [(-0.1, [CUT]), (1.1, [CUT]), (0.5, [])])
def test_mix_out_of_range_is_refused(share: float, faults: list[Fault]) -> None:
    with pytest.raises(ValueError, match=r"share|faults"):
        FaultPlan[Fault]().mix(1, share, faults)


def test_default_mix_leaves_out_faults_that_no_client_can_notice_and_those_of_batches() -> None:
    left_out = {FaultKind.WRITE_LATE, FaultKind.BATCH_NOT_SAVED}
    assert [fault.kind for fault in DEFAULT_MIX] == [it for it in FaultKind if it not in left_out]


def test_clock_of_the_default_mix_is_an_hour_ahead() -> None:
    assert {fault.clock_off_s for fault in DEFAULT_MIX} == {0.0, 3600.0}


def test_script_for_an_action_goes_before_the_script_for_any() -> None:
    plan: FaultPlan[Fault] = FaultPlan()
    plan.script.append(HTML)
    plan.script_for("a", [CUT, None])
    assert [plan.draw(it) for it in ("a", "b", "a", "a")] == [CUT, HTML, None, None]


def test_mix_for_some_actions_leaves_the_others_alone() -> None:
    plan: FaultPlan[Fault] = FaultPlan()
    plan.mix(1, 1.0, [CUT], actions=["a"])
    assert [plan.draw("a"), plan.draw("b"), plan.draw("a")] == [CUT, None, CUT]


def test_each_fault_comes_as_often_as_its_own_share_says() -> None:
    plan: FaultPlan[Fault] = FaultPlan()
    plan.mix_shares(3, {HTML: 0.6, CUT: 0.1})
    drawn = Counter(plan.draw() for _ in range(10_000))
    assert 5_800 < drawn[HTML] < 6_200
    assert 900 < drawn[CUT] < 1_100


def test_shares_that_add_up_to_one_spare_no_request() -> None:
    plan: FaultPlan[Fault] = FaultPlan()
    plan.mix_shares(3, {HTML: 0.7, CUT: 0.2, GONE: 0.1})
    assert None not in [plan.draw() for _ in range(1000)]


@pytest.mark.parametrize("shares", [{HTML: -0.1}, {HTML: 0.6, CUT: 0.5}])
def test_shares_out_of_range_are_refused(shares: dict[Fault, float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        FaultPlan[Fault]().mix_shares(1, shares)


def test_clearing_forgets_scripts_and_keeps_the_mix() -> None:
    plan: FaultPlan[Fault] = FaultPlan()
    plan.mix(1, 1.0, [CUT])
    plan.script.append(HTML)
    plan.script_for("a", [HTML])
    plan.clear()
    assert plan.draw("a") == CUT


@pytest.mark.parametrize("fault", JOB_MIX)
def test_job_that_is_written_is_said_to_be(fault: JobFault) -> None:
    written = {JobFault.ERROR_AFTER_WRITE, JobFault.RESULT_MISSING}
    assert fault.writes == (fault in written)
