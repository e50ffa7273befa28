"""The targets, by name."""

from benchmarks.peers.target import Target
from benchmarks.peers.targets.bentoml import BENTOML
from benchmarks.peers.targets.celery import CELERY, HARDENED
from benchmarks.peers.targets.dramatiq import DRAMATIQ
from benchmarks.peers.targets.kinesphere import CLUSTER, KINESPHERE
from benchmarks.peers.targets.litserve import LITSERVE
from benchmarks.peers.targets.ray import RAY

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (KINESPHERE, CLUSTER, LITSERVE, BENTOML, RAY, CELERY, HARDENED, DRAMATIQ)
}
