"""The default policy: as many replicas as it takes for nobody to wait too long, and no more."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from kinesphere.core.admission import Service
from kinesphere.core.scaling.arrivals import Samples, counted, kept_readings, surely
from kinesphere.core.scaling.forecast import Due, Fleet, fewest, staffing
from kinesphere.core.scaling.limits import (
    bounded,
    kept_for,
    largest_of,
    present,
    to_drain,
    worked_at,
)
from kinesphere.core.scaling.values import Limits, Memory, Phase, Plan, Replica, Snapshot, Waiting

OVERRUN_SHARE: Final = 0.25
"""A batch past its expected end is taken to need this part of a batch more: the mean excess of
batches whose times scatter by a third."""

UNSURE_SHARE: Final = 0.15
"""The part of a batch by which one is taken to end late where the work of jobs is not known."""

DEADLINE_SHARE: Final = 0.5
"""A job whose work is not known is taken to need at most this part of the time it was given."""

SURE: Final = 1.5
"""Standard errors by which a rate of the last moments is lowered before replicas are ordered for it
that nobody who is there needs: with less, what is ordered by chance costs as much as the load."""

BURST_SHARE: Final = 0.25
"""A burst is looked for in the last part of the rate's window as well as in the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAhead:
    """Forecast every wait from the work in the queue, and order what keeps the waits short.

    Attributes:
        limits: Within what it may move.
        interval: s between two decisions.
        target_wait: s that a job without a deadline may wait.
        slack_share: The part of its slack that a job may be forecast to wait. 0.7: the rest is for
            work that takes longer than expected.
        known_share: The same for a job whose own seconds are known. 1: nothing is left to be unsure
            of. Less where they are only estimated: with errors of a tenth, 0.95 has 0.2 to 0.6 % of
            the jobs fewer late.
        missed: Share of the jobs that may be late at a steady random load. It sizes the pool ahead
            of the load where jobs cannot wait for a cold start, and has no effect where they can.
        keep: Busy replicas, on average, beyond those that would be left, over which one more is
            kept although others are idle; while all others are busy it is kept over any such
            excess. 0.5: with over 1.5 busy a second that is there is always kept. At random
            arrivals that costs less than twice the time of a job for each start that it saves.
        rate_window: s over which arrivals are counted for the forecast.
        load_window: s over which they are counted for the load.
        steady_window: s over which they are counted where the load has not changed since: where
            the counts differ by no more than the standard error of that of `load_window`.
        stabilise: (cold starts, s, s): a replica goes when none more were wanted for so many cold
            starts, but no less and no more than so many seconds.
    """

    name: ClassVar[str] = "look-ahead"
    needs: ClassVar[tuple[str, ...]] = ("waiting", "queued", "running", "arrived", "service")

    limits: Limits = field(default_factory=Limits)
    interval: float = 5.0
    target_wait: float = 10.0
    slack_share: float = 0.7
    known_share: float = 1.0
    missed: float = 0.03
    keep: float = 0.5
    rate_window: float = 30.0
    load_window: float = 900.0
    steady_window: float = 7200.0
    stabilise: tuple[float, float, float] = (1.0, 50.0, 300.0)

    def decide(self, snapshot: Snapshot, memory: Memory) -> tuple[Plan, Memory]:
        """See `kinesphere.core.scaling.plan`."""
        replicas, service = snapshot.replicas, snapshot.service
        if replicas is None or service is None:
            raise ValueError("the look-ahead needs replicas and batch times")
        samples = memory.samples
        if snapshot.arrived is not None:
            window = max(self.rate_window, self.load_window)
            reading = (snapshot.now, snapshot.arrived)
            samples = kept_readings(samples, reading, window, self.steady_window)
        ahead, why = self._ahead(snapshot, service, samples)
        recommended, late = self._enough(snapshot, samples, memory, ahead)
        if late is not None:
            why = _told(*late, snapshot.now)
        window = self._window(snapshot)
        kept = largest_of(memory.recommended, snapshot.now, recommended, window)
        held = kept[0][1]
        if held > recommended:
            ago = snapshot.now - kept[0][0]
            why = (
                f"{ago:.0f} s ago it took {held}, and none is stopped within {window:.0f} s of that"
            )
        # What is busy is not stopped, and what is on its way was ordered for a reason.
        engaged = sum(r.phase in (Phase.BUSY, Phase.STARTING) for r in replicas)
        wanted = bounded(max(held, engaged), snapshot, self.limits, memory)
        plan = Plan(
            replicas=wanted,
            drain=to_drain(replicas, wanted),
            recommended=recommended,
            reason=kept_for(wanted, max(held, engaged), engaged > held, why),
        )
        return plan, Memory(
            wanted=wanted,
            recommended=kept,
            samples=samples,
            worked_at=worked_at(snapshot, memory),
        )

    def _window(self, snapshot: Snapshot) -> float:
        times, least, most = self.stabilise
        return min(max(times * snapshot.cold_start, least), most)

    def _enough(
        self,
        snapshot: Snapshot,
        samples: Samples,
        memory: Memory,
        least: int,
    ) -> tuple[int, tuple[Due, float] | None]:
        """The fewest replicas from `least` on that are enough, and who is late with fewer."""
        service, replicas = snapshot.service, snapshot.replicas
        if service is None or replicas is None:
            return least, None
        jobs = [self._due(job, snapshot, service) for job in snapshot.waiting or ()]
        expected = self._expected(snapshot, service, samples)
        unsure = any(job.seconds is None for job in snapshot.waiting or ())
        margin = UNSURE_SHARE * service.batch_seconds(1) if unsure else 0.0
        lanes = lanes_of(replicas, snapshot.now, service, margin)
        fleet = Fleet(lanes, (snapshot.now + snapshot.cold_start, snapshot.speed))
        last = memory.recommended[-1][1] if memory.recommended else least
        room = range(least, max(self.limits.maximum, least) + 1)
        if expected:
            found = fewest(room, last, fleet, [*jobs, *expected], service)
            # Who can wait for a cold start is in time if he orders when he comes, and may not come;
            # but of a burst that fills the pool, all are served sooner if it is full sooner.
            if found[0] >= self.limits.maximum or not self._can_wait(snapshot):
                return found
        return fewest(room, last, fleet, jobs, service) if jobs else (least, None)

    def _due(self, job: Waiting, snapshot: Snapshot, service: Service) -> Due:
        """By when a waiting job must be started, whatever else waits.

        A job that a replica ordered now can still save is to be started within its share of its
        slack, or as soon as that replica is ready. One that is late in any case is to be started
        not much later, so that it neither costs a replica of its own nor waits for ever.
        """
        soonest = snapshot.now + snapshot.cold_start
        if job.seconds is not None:
            own, share = job.seconds, self.known_share
        else:
            own, share = service.per_job, self.slack_share
        if job.deadline is None:
            latest = target = job.since + self.target_wait
        else:
            if job.seconds is None:
                own = min(own, DEADLINE_SHARE * (job.deadline - job.since))
            latest = job.deadline - own - service.fixed
            target = job.since + share * max(latest - job.since, 0.0)
        if latest >= soonest:
            return Due(job.since, max(target, soonest), own)
        late = max(latest - job.since, service.fixed + own)
        return Due(job.since, max(latest, soonest) + late, own)

    def _expected(self, snapshot: Snapshot, service: Service, samples: Samples) -> list[Due]:
        """Arrivals to be counted on until a replica that is ordered now is ready.

        Their rate is the measured one less its own standard error, so that a burst is foreseen and
        a lone job is not taken for one; or that of the last moments less two of them, whichever is
        higher. Those who come too early for a new replica to be of use add to the work, but ask for
        nothing.
        """
        whole = counted(samples, snapshot.now, self.rate_window)
        burst = counted(samples, snapshot.now, BURST_SHARE * self.rate_window)
        errors = SURE if self._can_wait(snapshot) else 1.0
        rate = max(surely(*whole, errors=errors), surely(*burst, errors=2.0))
        if rate <= 0.0:
            return []
        gap = 1.0 / rate
        soonest = snapshot.now + snapshot.cold_start
        patience = self._patience(snapshot)
        count = min(int((snapshot.cold_start + self.interval) / gap), MOST_EXPECTED)
        return [
            Due(at, at + patience if at + patience >= soonest else math.inf, service.per_job)
            for at in (snapshot.now + k * gap for k in range(1, count + 1))
        ]

    def _ahead(self, snapshot: Snapshot, service: Service, samples: Samples) -> tuple[int, str]:
        """What the steady load asks for, whatever waits now."""
        rate = self._steady(samples, snapshot.now)
        if not self._can_wait(snapshot):
            # A step is not to be averaged away while those who came by it are late.
            lately = counted(samples, snapshot.now, self.rate_window)
            rate = max(rate, surely(*lately, errors=SURE))
        batch = service.batch_seconds(service.batch_limit)
        load = rate * batch / service.batch_limit
        if self._can_wait(snapshot):
            kept = self._kept(load, present(snapshot.replicas or ()))
            if kept > 1:
                return kept, f"{load:.1f} are busy on average, so fewer would not do for long"
        elif load > 0.0:
            patience = self._patience(snapshot) / batch
            number = staffing(load, patience, self.missed, self.limits.maximum)
            # Whether to keep a first one is for the limits to say: a pool may be allowed to sleep.
            return number if number > 1 else 0, (
                f"{load:.1f} are busy on average, and jobs cannot wait the "
                f"{snapshot.cold_start:.0f} s that one more takes to start"
            )
        return 0, "nothing waits that would not be served in time"

    def _kept(self, load: float, there: Sequence[Replica]) -> int:
        """Which of those that are there the load is a reason to keep.

        Nothing is ordered for it: whoever needs a replica can wait for it.
        """
        number = min(math.ceil(load), len(there))
        # The last of them is needed soon where all others are busy, and not where they are idle.
        if sum(replica.phase is Phase.BUSY for replica in there) >= number - 1:
            return number
        return min(math.ceil(load - self.keep), number)

    def _steady(self, samples: Samples, now: float) -> float:
        """Arrivals a second: the mean of long, as far as those of late do not speak against it."""
        jobs, seconds = counted(samples, now, self.load_window)
        if seconds <= 0.0:
            return 0.0
        lowest = surely(jobs, seconds, errors=1.0)
        if seconds < self.load_window / 2.0:
            # A few jobs of a few seconds are no steady load.
            return lowest
        all_jobs, all_seconds = counted(samples, now, self.steady_window)
        highest = (jobs + math.sqrt(jobs + 1.0)) / seconds
        return min(max(all_jobs / all_seconds, lowest), highest)

    def _can_wait(self, snapshot: Snapshot) -> bool:
        """Whether a typical job that came after the last look is in time on a new replica."""
        return snapshot.cold_start + self.interval <= self._patience(snapshot)

    def _patience(self, snapshot: Snapshot) -> float:
        return self.target_wait if snapshot.slack is None else self.slack_share * snapshot.slack


MOST_EXPECTED: Final = 1000
"""Expected arrivals that a forecast goes through; a pool that is short by so many is at its
maximum."""


def _told(job: Due, start: float, now: float) -> str:
    """What a job that starts too late means for the plan."""
    if math.isinf(start):
        return "without one a job would never be served"
    what = "would wait" if job.since <= now else "that is expected would wait"
    return f"with fewer a job {what} {start - job.since:.0f} s"


def lanes_of(
    replicas: tuple[Replica, ...], now: float, service: Service, margin: float = 0.0
) -> list[tuple[float, float]]:
    """When each replica is free, and its speed.

    The busy ones come first, which stay in any case, then the soonest. `margin` is what a batch may
    take longer than expected, in seconds at speed 1.
    """
    overrun = OVERRUN_SHARE * service.batch_seconds(1)
    busy = sorted(
        ((r.until if r.until > now else now + overrun / r.speed) + margin / r.speed, r.speed)
        for r in replicas
        if r.phase is Phase.BUSY
    )
    others = sorted(
        (now if r.phase is Phase.IDLE else max(r.until, now), r.speed)
        for r in replicas
        if r.phase in (Phase.IDLE, Phase.STARTING)
    )
    return busy + others
