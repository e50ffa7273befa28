"""Kinesphere and what a user would take instead: the same engine, the same client, one machine.

A workload is a function of a running target; a target says in some forty lines how it is installed,
started and asked. `python -m benchmarks.peers --help`; `docs/benchmarks.md` has the figures.
"""
