"""What routing short motions to a lighter model is worth at a peak, on the same devices.

In the simulator, with the router's own rule and the platform's own estimate of a wait: the same
motions come at the same times twice, once to four devices that all have the full model, once to
three of them and one that has its lighter form, which takes half of the time. A batch of b motions
takes the full model 2 + 0.5 b s, b at most 4, so that four devices make 4 a second. Half of the
motions are shorter than 3 s. Requests come at random: for five minutes at 0.6 of what the four
devices can make, for ten minutes at `--peak` times that, then quietly again; nobody waits for an
answer before he asks. Figures are over the motions that came during the peak, in seconds from
acceptance to end, each the mean over `--seeds` draws.

    python -m benchmarks.lite_routing [--peaks 0.9 1.0 1.15 1.3] [--seeds 10]
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from random import Random
from statistics import fmean
from typing import Final

from kinesphere.core.admission import Service, Stop, estimate
from kinesphere.core.routing import behind
from kinesphere.core.scaling.simple import Static
from kinesphere.core.scaling.tiers import Tier
from kinesphere.core.scaling.values import Limits, Phase
from kinesphere.elastic.simulator import Arrival, Pool, Run, simulate
from kinesphere.elastic.simulator.pool import PoolState
from kinesphere.elastic.simulator.traces import lognormal

DEVICES: Final = 4
FULL: Final = Service(2.0, 0.5, 4)
CAPACITY: Final = DEVICES * FULL.batch_limit / FULL.batch_seconds(FULL.batch_limit)
LITE_SPEED: Final = 2.0
"""Of the lighter model beside the full one: about that of their parameters."""

LITE_WAIT: Final = 10.0
"""Expected wait, in s, from which short motions go to the lighter model: the default."""

QUIET: Final = 0.6
QUIET_SECONDS: Final = 300.0
PEAK_SECONDS: Final = 600.0


class Motion(Arrival):
    """A job that knows whether its clip is shorter than 3 s."""

    short: bool


def traffic(peak: float, seed: int) -> list[Motion]:
    """Quiet, the peak, and quiet again."""
    random, asked, begins = Random(seed), [], 0.0
    loads = ((QUIET_SECONDS, QUIET), (PEAK_SECONDS, peak), (QUIET_SECONDS, QUIET))
    for seconds, load in loads:
        at = begins
        while (at := at + random.expovariate(load * CAPACITY)) < begins + seconds:
            motion = Motion(at, lognormal(random, FULL.per_job, 0.1))
            motion.short = random.random() < 0.5
            asked.append(motion)
        begins += seconds
    return asked


class Routing:
    """The router's rule: short motions go to the lighter model while the full one is behind."""

    def __init__(self) -> None:
        self._behind = False

    def __call__(self, motion: Arrival, pools: Mapping[str, PoolState]) -> str:
        """The pool of a motion that comes now."""
        if not (isinstance(motion, Motion) and motion.short and "lite" in pools):
            return "full"
        wait = _wait(pools["full"], motion.at)
        self._behind = behind(self._behind, wait, LITE_WAIT)
        return "lite" if self._behind and _wait(pools["lite"], motion.at) < wait else "full"


def _wait(pool: PoolState, now: float) -> float:
    busy = [m.expected - now if m.phase is Phase.BUSY else 0.0 for m in pool.machines.values()]
    waiting = len(pool.queue)
    stop = Stop(
        service=pool.service,
        measured=True,
        replicas=len(busy),
        free_in=tuple(max(0.0, left) for left in busy),
        jobs=waiting,
        weight=float(waiting),
    )
    return estimate([stop], 1.0).start


def played(asked: Sequence[Motion], *, lite: bool) -> dict[str, float]:
    """The figures of one way to use the devices."""
    share = {"full": DEVICES - 1, "lite": 1} if lite else {"full": DEVICES}
    speeds = {"full": 1.0, "lite": LITE_SPEED}
    pools = [
        Pool(
            name=name,
            service=FULL,
            cold_start=30.0,
            replicas=number,
            tiers=(Tier(name=name, price=1.0, speed=speeds[name]),),
        )
        for name, number in share.items()
    ]
    policies = {
        name: Static(limits=Limits(minimum=number, maximum=number))
        for name, number in share.items()
    }
    duration = 2.0 * QUIET_SECONDS + PEAK_SECONDS
    result = simulate(pools, policies, asked, duration, route=Routing())
    ends = QUIET_SECONDS + PEAK_SECONDS
    pairs = zip(asked, result.runs, strict=True)
    peak = [(motion, run) for motion, run in pairs if QUIET_SECONDS <= motion.at < ends]
    kinds = {
        "all": [run for _, run in peak],
        "short": [run for motion, run in peak if motion.short],
        "long": [run for motion, run in peak if not motion.short],
    }
    return {
        "made_by_the_lighter": sum(run.pool == "lite" for _, run in peak) / len(peak),
        **{
            f"p{level}_{kind}_s": _quantile(runs, level / 100.0)
            for kind, runs in kinds.items()
            for level in (50, 95)
        },
    }


def _quantile(runs: Sequence[Run], share: float) -> float:
    times = sorted(run.ended - run.arrival.at for run in runs)
    return times[math.ceil(share * len(times)) - 1]


def _mean(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(fmean(each[name] for each in found), 3) for name in found[0]}


def compared(peak: float, seeds: int) -> dict[str, object]:
    """Both ways at one height of the peak."""
    draws = [traffic(peak, seed) for seed in range(seeds)]
    without = _mean([played(asked, lite=False) for asked in draws])
    with_it = _mean([played(asked, lite=True) for asked in draws])
    lower = 1.0 - with_it["p95_all_s"] / without["p95_all_s"]
    return {
        "peak": peak,
        "four_full": without,
        "three_full_one_lighter": with_it,
        "p95_lower_by": round(lower, 3),
        "at_least_22_percent": lower >= 0.22,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peaks", type=float, nargs="+", default=[0.9, 1.0, 1.15, 1.3])
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    print(json.dumps([compared(peak, options.seeds) for peak in options.peaks], indent=2))


if __name__ == "__main__":
    main()
