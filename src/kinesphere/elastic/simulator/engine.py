"""The event loop: jobs come, replicas start and stop, batches run, and the policy decides.

Time is virtual. The policy, the order of claims and the forming of batches are those of the
service; what is simulated is the hardware.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from random import Random
from typing import Final, TypeAlias

from kinesphere.core.scaling.division import divide
from kinesphere.core.scaling.plan import Policy, plan
from kinesphere.core.scaling.tiers import Tier
from kinesphere.core.scaling.values import Phase, Plan, Snapshot
from kinesphere.elastic.simulator.pool import Machine, PoolState, rental, spare
from kinesphere.elastic.simulator.queue import Entry
from kinesphere.elastic.simulator.values import Arrival, Pool, Rental, Result, Run, Step

Route: TypeAlias = Callable[[Arrival, Mapping[str, PoolState]], str]
"""Chooses a pool for a job."""

STUCK_SECONDS: Final = 86_400.0
"""After so long past the trace without a finished job, nothing will be finished any more."""


def as_asked(arrival: Arrival, pools: Mapping[str, PoolState]) -> str:
    """The pool that the job names, or the first."""
    return arrival.pool or next(iter(pools))


def simulate(
    pools: Sequence[Pool],
    policies: Mapping[str, Policy],
    arrivals: Sequence[Arrival],
    duration: float,
    *,
    route: Route = as_asked,
    seed: int = 0,
) -> Result:
    """Play a trace through to the end of its last job.

    Args:
        pools: At least one.
        policies: One for each pool, by its name.
        arrivals: In order of time.
        duration: s of the trace; the replicas of the time after the last job are paid until then.
        route: Chooses the pool of each job.
        seed: Of the losses of spot replicas.

    To a policy, the trace begins at second 0 of the epoch. Raises ValueError where a job goes to a
    pool that is not there, or can never be served.
    """
    states = {pool.name: PoolState(pool, policies[pool.name]) for pool in pools}
    return _Simulation(states, arrivals, duration, route, seed).run()


class _Simulation:
    def __init__(
        self,
        pools: Mapping[str, PoolState],
        arrivals: Sequence[Arrival],
        duration: float,
        route: Route,
        seed: int,
    ) -> None:
        self._pools = pools
        self._arrivals = arrivals
        self._duration = duration
        self._route = route
        self._random = Random(seed)  # noqa: S311 - chance, not secrecy
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._number = 0
        self._now = 0.0
        self._left = len(arrivals)
        self._runs: list[Run | None] = [None] * len(arrivals)
        self._steps: list[Step] = []
        self._last_step: dict[str, Step] = {}
        self._last_job = 0.0

    def _at(self, when: float, event: Callable[..., None], *arguments: object) -> None:
        self._number += 1
        heappush(self._events, (when, self._number, event, arguments))

    def run(self) -> Result:
        for state in self._pools.values():
            for _ in range(state.pool.replicas):
                self._order(state, ready=0.0)
            self._at(0.0, self._decide, state, True)
        events, arrivals = self._events, self._arrivals
        position, count = 0, len(arrivals)
        while self._left or self._now < self._duration:
            if position < count and (not events or arrivals[position].at <= events[0][0]):
                self._now = arrivals[position].at
                self._arrive(position, arrivals[position])
                position += 1
                continue
            when, _, event, arguments = heappop(events)
            if not self._left and when > self._duration:
                break
            if when > max(self._duration, self._last_job) + STUCK_SECONDS:
                raise ValueError(f"{self._left} jobs wait for ever: the policy starts no replica")
            self._now = when
            event(*arguments)
        return self._result()

    def _result(self) -> Result:
        ended = max(self._duration, self._last_job)
        rentals: list[Rental] = []
        for state in self._pools.values():
            rentals += state.gone
            rentals += [rental(m, state.pool.name, ended) for m in state.machines.values()]
        rentals.sort(key=lambda each: (each.ordered, each.name))
        return Result(
            policy=" and ".join(sorted({s.policy.name for s in self._pools.values()})),
            duration=self._duration,
            ended=ended,
            runs=tuple(run for run in self._runs if run is not None),
            rentals=tuple(rentals),
            steps=tuple(self._steps),
        )

    # --------------------------------------------------------------------------------- jobs

    def _arrive(self, number: int, arrival: Arrival) -> None:
        name = self._route(arrival, self._pools)
        state = self._pools.get(name)
        if state is None:
            raise ValueError(f"no pool is named {name!r}")
        state.enter(number, arrival)
        if state.idle:
            self._form_all(state)
        elif not state.machines and not state.woken:
            # A sleeping pool is woken by its first job, not by the next regular look.
            state.woken = True
            self._at(self._now, self._decide, state, False)

    def _form_all(self, state: PoolState) -> None:
        while state.idle and state.claimable:
            self._form(state, state.idle.popitem()[1])

    def _form(self, state: PoolState, machine: Machine) -> None:
        wait = state.form(machine, self._now)
        if wait > 0.0:
            self._at(self._now + wait, self._waited, state, machine)
        else:
            self._begin(state, machine)

    def _waited(self, state: PoolState, machine: Machine) -> None:
        if machine.ended is not None:
            return
        wait = state.filled(machine, self._now)
        if wait > 0.0:
            self._at(self._now + wait, self._waited, state, machine)
            return
        self._begin(state, machine)
        self._form_all(state)

    def _begin(self, state: PoolState, machine: Machine) -> None:
        self._at(state.begin(machine, self._now), self._finish, state, machine)

    def _finish(self, state: PoolState, machine: Machine) -> None:
        if machine.ended is not None:
            return
        began, now, pool = machine.began, self._now, state.pool.name
        for entry in state.finish(machine, now):
            self._runs[entry.number] = Run(
                entry.arrival, began, now, pool, machine.name, entry.attempts
            )
            self._left -= 1
        self._last_job = now
        if machine.phase is Phase.DRAINING:
            self._stop(state, machine)
        else:
            self._free(state, machine)

    def _free(self, state: PoolState, machine: Machine) -> None:
        state.rest(machine, self._now)
        if state.claimable:
            self._form(state, machine)

    # ----------------------------------------------------------------------------- replicas

    def _order(
        self, state: PoolState, tier: Tier | None = None, ready: float | None = None
    ) -> None:
        machine = state.order(self._now, tier=tier, ready=ready)
        if machine is None:
            return
        self._at(machine.ready, self._ready, state, machine)
        if machine.tier.spot and machine.tier.losses > 0.0:
            after = self._random.expovariate(machine.tier.losses / 3600.0)
            self._at(self._now + after, self._notice, state, machine)

    def _ready(self, state: PoolState, machine: Machine) -> None:
        if machine.ended is None:
            state.is_ready(machine, self._now)
            if state.claimable:
                self._form(state, machine)

    def _notice(self, state: PoolState, machine: Machine) -> None:
        """The provider will take the replica: it finishes what it can and takes nothing new."""
        if machine.ended is None:
            self._drain(state, machine)
        if machine.ended is None:
            self._at(self._now + machine.tier.notice, self._lose, state, machine)

    def _lose(self, state: PoolState, machine: Machine) -> None:
        if machine.ended is None:
            self._stop(state, machine)

    def _drain(self, state: PoolState, machine: Machine) -> None:
        if machine.phase is Phase.BUSY:
            machine.phase = Phase.DRAINING
        elif machine.phase is not Phase.DRAINING:
            self._stop(state, machine)

    def _stop(self, state: PoolState, machine: Machine) -> None:
        lost: list[Entry] = state.stop(machine, self._now)
        for entry in lost:
            state.queue.put_back(entry._replace(attempts=entry.attempts + 1))
        self._form_all(state)

    # --------------------------------------------------------------------------------- plan

    def _decide(self, state: PoolState, regular: bool) -> None:
        now = self._now
        seen = state.snapshot(now)
        decided, state.memory = plan(seen, state.policy, state.memory)
        if len(state.pool.tiers) > 1:
            self._divide(state, decided, seen)
        else:
            self._obey(state, decided)
        state.woken = False
        self._note(state, decided)
        if regular:
            self._at(now + state.policy.interval, self._decide, state, True)

    def _obey(self, state: PoolState, decided: Plan) -> None:
        present = state.present
        for _ in range(decided.replicas - len(present)):
            self._order(state)
        if decided.drain is not None:
            for name in decided.drain:
                self._drain(state, state.machines[name])
        elif len(present) > decided.replicas:
            for machine in spare(present, len(present) - decided.replicas):
                self._drain(state, machine)

    def _divide(self, state: PoolState, decided: Plan, seen: Snapshot) -> None:
        most = state.policy.limits.maximum
        division, state.standing = divide(decided, seen, state.hardware, most, state.standing)
        have = Counter(machine.tier.name for machine in state.present)
        for tier in state.pool.tiers:
            for _ in range(division.counts[tier.name] - have[tier.name]):
                self._order(state, tier)
        for name in division.drain:
            self._drain(state, state.machines[name])

    def _note(self, state: PoolState, decided: Plan) -> None:
        pool, now = state.pool.name, self._now
        step = Step(
            now,
            pool,
            decided.replicas,
            len(state.machines),
            state.ready,
            len(state.queue),
            decided.reason,
        )
        last = self._last_step.get(pool)
        if last is None or _numbers(last) != _numbers(step):
            self._last_step[pool] = step
            self._steps.append(step)


def _numbers(step: Step) -> tuple[int, int, int]:
    return step.wanted, step.present, step.ready
