"""Traces played against policies in virtual time, at the speed of arithmetic."""

from kinesphere.elastic.simulator.clairvoyant import clairvoyant
from kinesphere.elastic.simulator.engine import Route, as_asked, simulate
from kinesphere.elastic.simulator.measures import Measures, curve, measure
from kinesphere.elastic.simulator.values import Arrival, Pool, Rental, Result, Run, Step

__all__ = [
    "Arrival",
    "Measures",
    "Pool",
    "Rental",
    "Result",
    "Route",
    "Run",
    "Step",
    "as_asked",
    "clairvoyant",
    "curve",
    "measure",
    "simulate",
]
