"""Policies of others, held against what their sources compute."""

from dataclasses import replace

import pytest

from kinesphere.core.admission import Service
from kinesphere.core.scaling import Limits, Memory, Phase, Replica, Snapshot, plan
from kinesphere.core.scaling.knative import Knative
from kinesphere.core.scaling.kubernetes import (
    Hpa,
    HpaCpu,
    KedaQueue,
    KedaUtilisation,
    average_value,
    utilisation,
)
from kinesphere.core.scaling.simple import Schedule, Static, Threshold

LIMITS = Limits(minimum=1, maximum=20)


def seen(
    ready: int,
    queued: int = 0,
    *,
    starting: int = 0,
    busy: float = 0.0,
    now: float = 1000.0,
    running: int = 0,
    cpu: float | None = None,
) -> Snapshot:
    replicas = [Replica(f"r{i}", Phase.IDLE, 0.0) for i in range(ready)]
    replicas += [Replica(f"s{i}", Phase.STARTING, now + 30.0) for i in range(starting)]
    return Snapshot(
        now=now,
        replicas=tuple(replicas),
        waiting=(),
        queued=queued,
        running=running,
        arrived=0,
        service=Service(0.0, 1.0, 1),
        cold_start=30.0,
        busy=busy,
        cpu=cpu,
    )


@pytest.mark.parametrize(
    ("metric", "target", "current", "wanted"),
    [
        (0.0, 3.0, 2, 0),
        (7.0, 3.0, 2, 3),
        (6.3, 3.0, 2, 2),  # 5 % over: within the tolerance
        (10.9, 1.0, 10, 10),  # a step of one at ten replicas is ignored
        (11.1, 1.0, 10, 12),
        (4.0, 3.0, 0, 2),
    ],
)
def test_an_average_value(metric: float, target: float, current: int, wanted: int) -> None:
    assert average_value(metric, target, current, 0.1) == wanted


@pytest.mark.parametrize(
    ("used", "ready", "starting", "wanted"),
    [
        (0.72, 4, 0, 4),  # within the tolerance
        (1.0, 2, 0, 3),
        (1.0, 2, 2, 4),  # two that start count as 0: 50 % of 70 %, so nothing changes
        (1.0, 4, 1, 6),  # 80 % over five: six
        (0.2, 4, 0, 2),
        (0.2, 4, 2, 2),  # on the way down only the ready ones count
        (0.5, 0, 3, 3),
    ],
)
def test_utilisation(used: float, ready: int, starting: int, wanted: int) -> None:
    assert utilisation(used, 0.7, ready, starting, 0.1) == wanted


def test_growth_is_limited_in_each_period() -> None:
    policy = KedaQueue(limits=LIMITS)
    memory = Memory()
    decided, memory = plan(seen(1, 60), policy, memory)
    assert decided.replicas == 5  # four pods, which is more than doubling
    decided, memory = plan(seen(5, 60, now=1010.0), policy, memory)
    assert decided.replicas == 5
    assert decided.reason.startswith("5 replicas, as no more may come at once: 60 jobs wait")
    decided, memory = plan(seen(5, 60, now=1015.0), policy, memory)
    assert decided.replicas == 10  # doubling, which is more than four
    decided, memory = plan(seen(10, 60, now=1030.0), policy, memory)
    assert decided.replicas == 20


def test_the_largest_of_five_minutes_counts_on_the_way_down() -> None:
    policy = KedaQueue(limits=LIMITS)
    _, memory = plan(seen(4, 12, now=0.0), policy, Memory())
    held, memory = plan(seen(4, 0, now=299.0), policy, memory)
    assert (held.replicas, held.drain) == (4, None)
    assert held.reason.startswith("4 replicas, as 4 were asked for in the last 300 s: 0 jobs wait")
    freed, _ = plan(seen(4, 0, now=301.0), policy, memory)
    assert freed.replicas == 1


def test_the_smallest_counts_on_the_way_up_where_that_is_set() -> None:
    policy = KedaQueue(limits=LIMITS, hpa=Hpa(stabilise_up=60.0, down_percent=50.0))
    _, memory = plan(seen(2, 0, now=0.0), policy, Memory())
    calm, memory = plan(seen(2, 12, now=30.0), policy, memory)
    assert calm.replicas == 2
    assert calm.reason.startswith("2 replicas, as 1 were asked for in the last 60 s: 12 jobs wait")
    sure, memory = plan(seen(2, 12, now=61.0), policy, memory)
    assert sure.replicas == 4
    halved, _ = plan(seen(4, 0, now=400.0), policy, Memory())
    assert halved.replicas == 2


def test_either_trigger_is_enough() -> None:
    both = KedaQueue(limits=LIMITS, busy=0.85)
    assert plan(seen(2, 12, busy=0.1), both, Memory())[0].replicas == 4
    assert plan(seen(2, 0, busy=1.0), both, Memory())[0].replicas == 3
    queue = KedaQueue(limits=LIMITS)
    assert plan(seen(2, 0, busy=1.0), queue, Memory())[0].replicas == 1
    use = KedaUtilisation(limits=LIMITS)
    assert plan(seen(2, 99, busy=1.0), use, Memory())[0].replicas == 3


def test_from_zero_to_one_and_back() -> None:
    policy = KedaQueue(limits=Limits(minimum=0, maximum=5))
    assert plan(seen(0, 0), policy, Memory())[0].replicas == 0
    woken, memory = plan(seen(0, 1), policy, Memory())
    assert woken.replicas == 1
    assert plan(seen(1, 0, now=1299.0), policy, memory)[0].replicas == 1
    assert plan(seen(1, 0, now=1301.0), policy, memory)[0].replicas == 0


def test_cpu_is_used_where_it_is_measured() -> None:
    policy = HpaCpu(limits=LIMITS)
    assert plan(seen(2, busy=0.0, cpu=1.0), policy, Memory())[0].replicas == 3
    assert plan(seen(2, busy=1.0), policy, Memory())[0].replicas == 3


def test_knative_panics_and_does_not_shrink_while_it_does() -> None:
    policy = Knative(limits=LIMITS)
    memory = Memory(samples=tuple((940.0 + 2.0 * i, 1.0) for i in range(30)))
    panic, memory = plan(seen(2, 30, now=1000.0), policy, memory)
    assert panic.replicas > 10
    assert "panic" in panic.reason
    calmer, memory = plan(seen(panic.replicas, 0, now=1030.0), policy, memory)
    assert calmer.replicas == panic.replicas
    over, _ = plan(seen(panic.replicas, 0, now=1062.0), policy, memory)
    assert over.replicas == panic.replicas // 2


def test_knative_keeps_seventy_percent() -> None:
    policy = Knative(limits=LIMITS)
    memory = Memory(samples=tuple((940.0 + 2.0 * i, 2.8) for i in range(30)))
    decided, _ = plan(seen(4, 0, now=1000.0, running=3), policy, memory)
    assert decided.replicas == 5


@pytest.mark.parametrize(("queued", "wanted"), [(50, 4), (51, 5), (100, 5), (101, 6), (0, 3)])
def test_the_threshold_manager_steps(queued: int, wanted: int) -> None:
    assert plan(seen(4, queued), Threshold(limits=LIMITS), Memory())[0].replicas == wanted


def test_the_threshold_manager_asks_for_a_larger_tier() -> None:
    policy = Threshold(limits=LIMITS)
    assert plan(seen(4, 9, busy=0.9, cpu=0.9), policy, Memory())[0].tier == "larger"
    assert plan(seen(4, 9, busy=0.9, cpu=0.5), policy, Memory())[0].tier == ""
    assert plan(seen(4, 9, busy=0.9), policy, Memory())[0].tier == ""


def test_static_and_schedule_look_at_no_load() -> None:
    four = replace(LIMITS, minimum=4)
    for policy in (Static(limits=four), Schedule(limits=four)):
        blind = replace(seen(9, 900), queued=None, waiting=None, service=None)
        assert plan(blind, policy, Memory())[0].replicas == 4
