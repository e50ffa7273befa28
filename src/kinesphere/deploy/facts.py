"""What a cluster has that a release can use."""

import json
import math
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

from pydantic import TypeAdapter, ValidationError

NEEDED_VERSION: Final = (1, 28)

_SECONDS: Final = 60.0

_SPOT_LABELS: Final = (
    ("karpenter.sh/capacity-type", "spot"),
    ("cloud.google.com/gke-spot", "true"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
    ("eks.amazonaws.com/capacityType", "SPOT"),
)
"""By which providers mark nodes that may be taken away."""


class Unanswered(Exception):
    """The cluster did not answer a question, and what was said instead."""


class Ask(Protocol):
    """A question to the cluster: words for kubectl, whose JSON comes back."""

    def __call__(self, *words: str) -> Any:
        """Raises Unanswered."""
        ...


@dataclass(frozen=True, slots=True)
class Devices:
    """Nodes with the same GPUs.

    Attributes:
        product: The device's name.
        memory: MiB of one device; 0 where no label tells.
        nodes: How many nodes.
        count: How many devices on all of them.
        spot: Whether the nodes may be taken away.
    """

    product: str
    memory: int
    nodes: int
    count: int
    spot: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What a cluster has. "" and () where there is none.

    Attributes:
        version: Of Kubernetes, (major, minor).
        groups: API groups that the cluster serves.
        controllers: Namespaces of known controllers, by `keda`, `istio`, `prometheus`, `ingress`.
        gpus: GPUs that pods can ask for.
        gpu_operator: State of the GPU operator's policy, such as `ready`; "" without one.
        spot: Label of spot nodes.
        ingress_classes: Names of classes of Ingress.
        default_storage: Name of the default storage class.
    """

    version: tuple[int, int] = (0, 0)
    groups: tuple[str, ...] = ()
    controllers: Mapping[str, str] = field(default_factory=dict)
    gpus: tuple[Devices, ...] = ()
    gpu_operator: str = ""
    spot: Mapping[str, str] = field(default_factory=dict)
    ingress_classes: tuple[str, ...] = ()
    default_storage: str = ""

    @property
    def keda(self) -> bool:
        """Whether KEDA scales."""
        return "keda.sh" in self.groups and "keda" in self.controllers

    @property
    def istio(self) -> bool:
        """Whether there is a mesh."""
        return "networking.istio.io" in self.groups and "istio" in self.controllers

    @property
    def prometheus(self) -> bool:
        """Whether Prometheus is told what to scrape by resources."""
        return "monitoring.coreos.com" in self.groups

    @property
    def external_metrics(self) -> bool:
        """Whether an adapter gives an HPA metrics from outside."""
        return "external.metrics.k8s.io" in self.groups

    def devices(self, gigabytes: int) -> int:
        """Devices with so much memory, as their makers print it, or more."""
        least = gigabytes * 10**9 // 2**20
        return sum(each.count for each in self.gpus if each.memory >= least)

    def as_json(self) -> str:
        """As `from_json` reads it."""
        return json.dumps(asdict(self), indent=2)


def from_json(text: str) -> Facts:
    """What `as_json` wrote. Raises ValueError."""
    try:
        return TypeAdapter(Facts).validate_json(text)
    except ValidationError as error:
        raise ValueError(f"no facts of a cluster: {error.errors()[0]['msg']}") from None


def kubectl(context: str | None = None, program: str = "kubectl") -> Ask:
    """A cluster, asked by the kubectl on this machine with its own configuration."""
    chosen = [] if context is None else ["--context", context]

    def ask(*words: str) -> Any:
        found = shutil.which(program)
        if found is None:
            raise Unanswered("there is no kubectl on the PATH")
        command = [found, *chosen, f"--request-timeout={math.ceil(_SECONDS / 2)}s", *words]
        try:
            done = subprocess.run(  # noqa: S603 - found on the PATH, without a shell
                command, capture_output=True, text=True, timeout=_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unanswered(str(error)) from None
        if done.returncode:
            raise Unanswered((done.stderr.strip().splitlines() or ["kubectl failed"])[-1])
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            raise Unanswered(f"kubectl {' '.join(words)} gave no JSON") from None

    return ask


def gathered(ask: Ask) -> Facts:
    """The facts of a cluster. Raises Unanswered where it cannot be asked at all.

    What this user may not see counts as not there.
    """
    version = ask("version", "-o", "json").get("serverVersion")
    if version is None:
        raise Unanswered("the cluster does not tell its version")
    minor = "".join(c for c in version["minor"] if c.isdigit())
    groups = tuple(sorted(each["name"] for each in ask("get", "--raw", "/apis")["groups"]))
    nodes = _items(ask, "nodes")
    policies = _items(ask, "clusterpolicies.nvidia.com") if "nvidia.com" in groups else []
    states = [each.get("status", {}).get("state", "unknown") for each in policies]
    storage = _items(ask, "storageclasses")
    return Facts(
        version=(int(version["major"]), int(minor)),
        groups=groups,
        controllers=_controllers(_items(ask, "deployments", "--all-namespaces")),
        gpus=_gpus(nodes),
        gpu_operator=states[0] if states else "",
        spot=_spot(nodes),
        ingress_classes=tuple(each["metadata"]["name"] for each in _items(ask, "ingressclasses")),
        default_storage=next(
            (each["metadata"]["name"] for each in storage if _is_default(each["metadata"])), ""
        ),
    )


def _items(ask: Ask, *words: str) -> list[dict[str, Any]]:
    try:
        return list(ask("get", *words, "-o", "json")["items"])
    except Unanswered:
        return []


_CONTROLLERS: Final = {
    "keda": ("keda-operator",),
    "istio": ("istiod",),
    "prometheus": ("prometheus-operator", "kube-prometheus-stack-operator"),
    "ingress": ("ingress-nginx-controller",),
}


def _controllers(deployments: list[dict[str, Any]]) -> dict[str, str]:
    """Those that run, by the ends of their names: releases put their own before them."""
    found: dict[str, str] = {}
    for each in deployments:
        if not each.get("status", {}).get("readyReplicas"):
            continue
        for kind, names in _CONTROLLERS.items():
            if each["metadata"]["name"].endswith(names):
                found.setdefault(kind, each["metadata"]["namespace"])
    return found


def _gpus(nodes: list[dict[str, Any]]) -> tuple[Devices, ...]:
    found: dict[tuple[str, int, bool], tuple[int, int]] = {}
    for node in nodes:
        count = int(node["status"].get("allocatable", {}).get("nvidia.com/gpu", 0))
        if not count:
            continue
        labels = node["metadata"].get("labels", {})
        memory = int(labels.get("nvidia.com/gpu.memory", 0))
        key = (labels.get("nvidia.com/gpu.product", "GPU"), memory, bool(_mark(labels)))
        some, all_of_them = found.get(key, (0, 0))
        found[key] = (some + 1, all_of_them + count)
    return tuple(
        Devices(product, memory, some, count, spot)
        for (product, memory, spot), (some, count) in sorted(found.items())
    )


def _spot(nodes: list[dict[str, Any]]) -> dict[str, str]:
    for node in nodes:
        if mark := _mark(node["metadata"].get("labels", {})):
            return mark
    return {}


def _mark(labels: Mapping[str, str]) -> dict[str, str]:
    return next(({name: value} for name, value in _SPOT_LABELS if labels.get(name) == value), {})


def _is_default(metadata: Mapping[str, Any]) -> bool:
    marks: Mapping[str, str] = metadata.get("annotations") or {}
    return marks.get("storageclass.kubernetes.io/is-default-class") == "true"
