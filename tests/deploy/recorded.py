"""A kubectl that knows one cluster: what a real one printed, cut to what is read."""

import json
from pathlib import Path
from typing import Any

NODE_LABELS = {
    "nvidia.com/gpu.memory": "23028",
    "nvidia.com/gpu.product": "NVIDIA-A10G",
    "karpenter.sh/capacity-type": "on-demand",
}


def node(**labels: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {**NODE_LABELS, **labels}},
        "status": {"allocatable": {"cpu": "15890m", "nvidia.com/gpu": "1"}},
    }


def deployment(name: str, namespace: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "status": {"readyReplicas": 1, "replicas": 1},
    }


GROUPS = (
    *("apps", "networking.k8s.io", "nvidia.com", "keda.sh", "monitoring.coreos.com"),
    "external.metrics.k8s.io",
)
CPU_NODE = {"metadata": {"labels": {}}, "status": {"allocatable": {"cpu": "7910m"}}}

RICH: dict[str, Any] = {
    "version -o json": {"serverVersion": {"major": "1", "minor": "31+"}},
    "get --raw /apis": {"groups": [{"name": name} for name in GROUPS]},
    "get nodes -o json": {
        "items": [CPU_NODE, node(), node(), node(**{"karpenter.sh/capacity-type": "spot"})]
    },
    "get clusterpolicies.nvidia.com -o json": {"items": [{"status": {"state": "ready"}}]},
    "get storageclasses -o json": {
        "items": [
            {
                "metadata": {
                    "name": "gp3",
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
                }
            }
        ]
    },
    "get deployments --all-namespaces -o json": {
        "items": [
            deployment("keda-operator", "keda-system"),
            deployment("prom-kube-prometheus-stack-operator", "observability"),
            deployment("ingress-nginx-controller", "edge"),
        ]
    },
    "get ingressclasses -o json": {"items": [{"metadata": {"name": "nginx"}}]},
    "get namespace kinesphere -o json": {"metadata": {"name": "kinesphere"}},
    "get secret kinesphere -n kinesphere": [
        *("broker-url", "database-url", "link-secret", "redis-url"),
        "",
    ],
}

BARE: dict[str, Any] = {
    "version -o json": {"serverVersion": {"major": "1", "minor": "27"}},
    "get --raw /apis": {"groups": [{"name": "apps"}]},
    "get nodes -o json": {"items": [CPU_NODE]},
}
"""All else is refused, as to a user who may see little."""


def install(folder: Path, cluster: dict[str, Any]) -> Path:
    """Put a program called kubectl into a folder of its own, and tell which."""
    program = folder / "kubectl"
    cases = []
    for number, (asked, answer) in enumerate(cluster.items()):
        (folder / f"{number}.json").write_text(json.dumps(answer))
        cases.append(f'*"{asked}"*) exec /bin/cat {folder}/{number}.json;;')
    cases.append('*) echo "Error from server (Forbidden): $*" >&2; exit 1;;')
    lines = ["#!/bin/sh", 'case "$*" in', *cases, "esac"]
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    return folder
