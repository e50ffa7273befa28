"""Traces made by rule: steady, bursty, in steps, by the time of day, and with long silences."""

import math
from collections.abc import Callable
from random import Random

from kinesphere.elastic.simulator import Arrival
from kinesphere.elastic.simulator.traces import lognormal

Rate = Callable[[float], float]


def times(rate: Rate, most: float, duration: float, random: Random) -> list[float]:
    """Arrivals at random at a rate that changes with time: thinning (Lewis and Shedler 1979)."""
    at, found = 0.0, []
    while (at := at + random.expovariate(most)) < duration:
        if random.random() * most < rate(at):
            found.append(at)
    return found


def jobs(
    arrivals: list[float], random: Random, *, mean: float = 75.0, spread: float = 0.35
) -> list[Arrival]:
    """Jobs that are due after twice their own time and 10 s."""
    made = []
    for at in arrivals:
        own = lognormal(random, mean, spread)
        made.append(Arrival(at, own, at + 2.0 * own + 10.0, estimate=own))
    return made


def steady(load: float, duration: float, seed: int, *, mean: float = 75.0) -> list[float]:
    """At one rate all the time."""
    rate = load / mean
    return times(lambda _: rate, rate, duration, Random(seed))


def diurnal(load: float, duration: float, seed: int) -> list[float]:
    """From nothing at night to twice the mean at noon, each 24 h."""
    rate = load / 75.0

    def now(at: float) -> float:
        return rate * (1.0 - math.cos(2.0 * math.pi * at / 86_400.0))

    return times(now, 2.0 * rate, duration, Random(seed))


def steps(load: float, duration: float, seed: int) -> list[float]:
    """Half an hour each at a fifth, one, three and a half times the mean, in turn."""
    rate = load / 75.0
    shares = (0.2, 1.0, 3.0, 0.5)
    return times(lambda at: rate * shares[int(at / 1800.0) % 4], 3.0 * rate, duration, Random(seed))


def bursty(load: float, duration: float, seed: int) -> list[float]:
    """On for 3 minutes and off for 9, both at random, at four times the mean while on."""
    random = Random(seed)
    rate, at, found = 4.0 * load / 75.0, 0.0, []
    while at < duration:
        on = random.expovariate(1.0 / 180.0)
        found += [at + t for t in times(lambda _: rate, rate, on, random)]
        at += on + random.expovariate(1.0 / 540.0)
    return [t for t in found if t < duration]


def silence(load: float, duration: float, seed: int) -> list[float]:
    """A steady hour, three hours of nothing, and again."""
    return [t for t in steady(4.0 * load, duration, seed) if t % 14_400.0 < 3600.0]
