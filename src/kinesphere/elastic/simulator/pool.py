"""One pool during a simulation: its queue, its replicas, and what it measures of itself."""

from collections import Counter, deque
from collections.abc import Sequence
from statistics import median
from typing import Final

from kinesphere.core.admission import Service
from kinesphere.core.batching import (
    RECENT_ARRIVALS,
    RECENT_BATCHES,
    Arrivals,
    BatchTime,
    Returns,
    gather_seconds,
)
from kinesphere.core.scaling.division import Hardware, Standing, asked, unit
from kinesphere.core.scaling.plan import Policy
from kinesphere.core.scaling.tiers import Tier, next_tier
from kinesphere.core.scaling.values import (
    Memory,
    Phase,
    Replica,
    Snapshot,
    Waiting,
    service_of,
)
from kinesphere.core.spacing import Spacing
from kinesphere.elastic.simulator.queue import Entry, Queue
from kinesphere.elastic.simulator.values import Arrival, Pool, Rental

GAUGE_SECONDS: Final = 60.0
"""Over how long device utilisation is averaged, as by PromQL over a minute."""

SEEN_JOBS: Final = 2048
"""Waiting jobs that a snapshot lists; those behind are only counted."""

RECENT_SLACKS: Final = 64


class Machine:
    """One replica; see `kinesphere.elastic.simulator.values.Rental` for its times."""

    __slots__ = (
        "batch", "began", "busy", "ended", "expected", "idle_since", "initial", "lost_at", "name",
        "ordered", "phase", "ready", "returns", "tier",
    )  # fmt: skip

    def __init__(self, name: str, tier: Tier, ordered: float, ready: float) -> None:
        self.name = name
        self.tier = tier
        self.ordered = ordered
        self.ready = ready
        self.initial = False
        self.phase = Phase.STARTING
        self.batch: list[Entry] = []
        self.returns = Returns()
        self.began = self.expected = self.idle_since = ready
        self.busy = 0.0
        self.lost_at: float | None = None
        self.ended: float | None = None


class PoolState:
    """What a router may look at, and what the event loop changes."""

    def __init__(self, pool: Pool, policy: Policy) -> None:
        self.pool = pool
        self.policy = policy
        self.memory = Memory()
        self.hardware = Hardware(tiers=pool.tiers, on_demand=pool.on_demand)
        self.standing = Standing()
        self.queue = Queue()
        self.machines: dict[str, Machine] = {}
        self.idle: dict[str, Machine] = {}
        self.gone: list[Rental] = []
        self.arrived = 0
        self.running = 0
        self.service = pool.service
        self.woken = False
        self.gathering: Machine | None = None
        self._spacing = Spacing()
        self._batch_time = BatchTime.guessed(pool.service.fixed, pool.service.per_job)
        self._first_guess = self._batch_time
        self._measured: deque[tuple[int, float]] = deque(maxlen=RECENT_BATCHES)
        self._stale = False
        self._slacks: deque[float] = deque(maxlen=RECENT_SLACKS)
        self._recent: deque[float] = deque(maxlen=RECENT_ARRIVALS)
        self._gauge: deque[tuple[float, float, float]] = deque([(0.0, 0.0, 0.0)])
        self._busy = self._ready = 0
        self._busy_seconds = self._ready_seconds = self._counted_to = 0.0
        self._ordered = 0

    @property
    def ready(self) -> int:
        """Replicas that are ready."""
        return self._ready

    @property
    def present(self) -> list[Machine]:
        """Replicas that are there or on their way, and do not drain."""
        return [m for m in self.machines.values() if m.phase is not Phase.DRAINING]

    def _count(self, now: float, busy: int = 0, ready: int = 0) -> None:
        """Add up time until now, then change the numbers of busy and of ready replicas."""
        passed = now - self._counted_to
        self._busy_seconds += passed * self._busy
        self._ready_seconds += passed * self._ready
        self._counted_to = now
        self._busy += busy
        self._ready += ready

    # ------------------------------------------------------------------------------- jobs

    def enter(self, number: int, arrival: Arrival) -> None:
        """Queue a job."""
        self.arrived += 1
        if arrival.deadline is not None:
            given = arrival.deadline - arrival.at
            own = arrival.estimate
            if own is None:
                own = min(self.service.per_job, given / 2)
            self._slacks.append(given - own - self.service.fixed)
        self._recent.append(arrival.at)
        waiting = Waiting(arrival.at, arrival.deadline, arrival.estimate)
        self.queue.enter(number, arrival, waiting)

    @property
    def claimable(self) -> bool:
        """Whether jobs wait that a free replica may take: no other gathers them until its turn."""
        return bool(self.queue) and self.gathering is None

    def form(self, machine: Machine, now: float) -> float:
        """Claim a batch for a free replica; how long it should wait for its turn, or company."""
        limit = self.pool.service.batch_limit
        machine.batch = []
        self._claim(machine, limit, now)
        self.idle.pop(machine.name, None)
        self._count(now, busy=1)
        machine.phase = Phase.BUSY
        machine.began = now
        size = len(machine.batch)
        if size == limit:
            return 0.0
        if (seconds := self._till_turn(machine, now)) > 0.0:
            return seconds
        company = machine.returns.company(now, size, limit, self._batch_time)
        if company.jobs:
            seconds = company.seconds
        else:
            rate = Arrivals(tuple(self._recent)).rate(now)
            seconds = gather_seconds(size, limit, rate, self._batch_time.seconds(size))
        machine.expected = now + seconds
        return seconds

    def _till_turn(self, machine: Machine, now: float) -> float:
        """How long the batch should wait for its turn; then others leave the queue to it."""
        limit, size = self.pool.service.batch_limit, len(machine.batch)
        seconds = self._spacing.pause(now, self._ready, self._batch_time, waiting=size, limit=limit)
        self.gathering = machine if seconds > 0.0 else None
        machine.expected = now + seconds
        return seconds

    def filled(self, machine: Machine, now: float) -> float:
        """Add what came while it waited to the batch; how long it should wait yet."""
        if room := self.pool.service.batch_limit - len(machine.batch):
            self._claim(machine, room, now)
        return self._till_turn(machine, now) if self.gathering is machine else 0.0

    def begin(self, machine: Machine, now: float) -> float:
        """Start the batch; returns when it will end."""
        self._spacing.started(now)
        expected, actual = self.service.fixed, self.pool.service.fixed
        for entry in machine.batch:
            estimate = entry.arrival.estimate
            actual += entry.arrival.seconds
            expected += self.service.per_job if estimate is None else estimate
        machine.began = now
        machine.expected = now + expected / machine.tier.speed
        return now + actual / machine.tier.speed

    def _claim(self, machine: Machine, limit: int, now: float) -> None:
        """Have a replica claim up to `limit` jobs more."""
        claimed = self.queue.claim(limit)
        self.running += len(claimed)
        machine.batch += claimed
        if claimed and self.pool.service.batch_limit > 1:
            self._spacing.claimed(now, len(claimed))
            for entry in claimed:
                machine.returns.came(entry.arrival.at)

    def finish(self, machine: Machine, now: float) -> list[Entry]:
        """The batch is done; returns it."""
        batch, machine.batch = machine.batch, []
        seconds = now - machine.began
        machine.busy += seconds
        self.running -= len(batch)
        self._count(now, busy=-1)
        machine.returns.ended(now, len(batch))
        self._measured.append((len(batch), seconds * machine.tier.speed))
        self._stale = True
        return batch

    # --------------------------------------------------------------------------- replicas

    def order(
        self, now: float, *, tier: Tier | None = None, ready: float | None = None
    ) -> Machine | None:
        """Order a replica of a tier, or of that which comes next; None where there is none."""
        tier = tier or self._next_tier()
        if tier is None:
            return None
        machine = Machine(
            f"{self.pool.name}-{self._ordered}",
            tier,
            now,
            now + self.pool.cold_start if ready is None else ready,
        )
        machine.initial = ready is not None
        self._ordered += 1
        self.machines[machine.name] = machine
        return machine

    def _next_tier(self) -> Tier | None:
        tiers = self.pool.tiers
        if len(tiers) == 1:
            return tiers[0] if len(self.machines) < tiers[0].most else None
        have = Counter(m.tier.name for m in self.present)
        return next_tier(tiers, have, self.pool.on_demand)

    def is_ready(self, machine: Machine, now: float) -> None:
        """The replica has started."""
        self._count(now, ready=1)
        self.rest(machine, now)

    def rest(self, machine: Machine, now: float) -> None:
        """The replica has nothing to do."""
        machine.phase = Phase.IDLE
        machine.idle_since = now
        self.idle[machine.name] = machine

    def stop(self, machine: Machine, now: float) -> list[Entry]:
        """The replica is gone; returns the batch that is lost with it."""
        lost, machine.batch = machine.batch, []
        if self.gathering is machine:
            self.gathering = None
        if lost:
            machine.busy += now - machine.began
            self.running -= len(lost)
        started = now >= machine.ready and machine.phase is not Phase.STARTING
        self._count(now, busy=-1 if lost else 0, ready=-1 if started else 0)
        machine.ended = now
        del self.machines[machine.name]
        self.idle.pop(machine.name, None)
        self.gone.append(rental(machine, self.pool.name, now))
        return lost

    # --------------------------------------------------------------------------- measures

    def snapshot(self, now: float) -> Snapshot:
        """What the policy is shown."""
        self._measure()
        self._count(now)
        gauge = self._gauge
        while len(gauge) > 1 and gauge[1][0] <= now - GAUGE_SECONDS:
            gauge.popleft()
        _, busy, ready = gauge[0]
        ready_seconds = self._ready_seconds - ready
        share = (self._busy_seconds - busy) / ready_seconds if ready_seconds > 0.0 else 0.0
        gauge.append((now, self._busy_seconds, self._ready_seconds))
        tier = self.pool.tiers[0]
        if len(self.pool.tiers) > 1:
            tier = unit(self.hardware, asked(self.hardware, self.service, None))
        base = self._base()
        return Snapshot(
            now=now,
            replicas=tuple([_seen(m, m.name in base) for m in self.machines.values()]),
            waiting=self.queue.first(SEEN_JOBS),
            queued=len(self.queue),
            running=self.running,
            arrived=self.arrived,
            service=self.service,
            cold_start=self.pool.cold_start,
            slack=max(median(self._slacks), 0.0) if self._slacks else None,
            busy=share,
            speed=tier.speed,
        )

    def _base(self) -> frozenset[str]:
        """Replicas of the base on demand."""
        if self.pool.on_demand == 0:
            return frozenset()
        firm = [m.name for m in self.present if not m.tier.spot]
        return frozenset(firm[: self.pool.on_demand])

    def _measure(self) -> None:
        """Bring the batch times up to date, once for all batches since the last look."""
        if not self._stale:
            return
        self._stale = False
        guess, limit = self._first_guess, self.pool.service.batch_limit
        if limit == 1:
            # Batches of one tell nothing of how their time divides: the general way ends here too.
            mean = sum(seconds for _, seconds in self._measured) / len(self._measured)
            scale = mean / guess.seconds(1)
            self.service = Service(guess.fixed * scale, guess.per_job * scale, 1)
            return
        *before, last = self._measured
        earlier = BatchTime(guess.fixed, guess.per_job, guess.first_guess, tuple(before))
        self._batch_time = earlier.seen(*last)
        self.service = service_of(self._batch_time, limit)


def _seen(machine: Machine, base: bool) -> Replica:
    if machine.phase is Phase.IDLE:
        until = machine.idle_since
    elif machine.phase is Phase.STARTING:
        until = machine.ready
    else:
        until = machine.expected
    tier = machine.tier
    return Replica(machine.name, machine.phase, until, tier.speed, base, tier.name)


def rental(machine: Machine, pool: str, ended: float) -> Rental:
    """The replica's time, for the bill."""
    return Rental(
        name=machine.name,
        pool=pool,
        tier=machine.tier,
        ordered=machine.ordered,
        ready=machine.ready,
        ended=ended,
        busy=machine.busy,
        initial=machine.initial,
    )


def spare(machines: Sequence[Machine], surplus: int) -> list[Machine]:
    """Which replicas go when only a number was set: not ready ones first, then the youngest.

    So Kubernetes ranks the pods of a ReplicaSet (pkg/controller/controller_utils.go).
    """
    ranked = sorted(machines, key=lambda m: (m.phase is not Phase.STARTING, -m.ready, m.name))
    return ranked[:surplus]
