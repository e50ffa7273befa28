"""Values of the chart for some models on some cluster."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kinesphere.deploy.facts import Facts


class NoSuchModel(Exception):
    """The chart has no pools of a model, and of which it has."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What no cluster can tell.

    Attributes:
        models: Models to serve.
        host: Name under which clients reach it, or "" for none.
        registry: Where the images are, without target and tag; "" for the chart's own.
        artifacts: `artifacts_url`, or "" for the chart's own.
        trial: Whether PostgreSQL, Redis and MinIO run inside.
    """

    models: Sequence[str]
    host: str = ""
    registry: str = ""
    artifacts: str = ""
    trial: bool = False


def values(
    choices: Choices, facts: Facts, presets: Mapping[str, Any], name: str = "kinesphere"
) -> dict[str, Any]:
    """Values over the chart's own, which are `presets`; `name` is the release's.

    KEDA scales where there is one, else an HPA where an adapter of external metrics is there, else
    nobody. A mesh goes before an ingress, because both would divide the same requests.

    Raises NoSuchModel.
    """
    pools: Mapping[str, Mapping[str, Any]] = presets["pools"]
    known = sorted({pool["model"] for pool in pools.values()})
    if unknown := sorted(set(choices.models) - set(known)):
        raise NoSuchModel(
            f"the chart has no pools of {unknown[0]!r}: {', '.join(known)}; "
            "give those of other models in a file of values"
        )
    made: dict[str, Any] = {
        "pools": {
            pool: {"enabled": of["model"] in choices.models}
            for pool, of in pools.items()
            if of["enabled"] or of["model"] in choices.models
        },
        "scaling": {"by": _scaler(facts)},
        "monitoring": {"enabled": facts.prometheus},
        "networkPolicy": {"from": _namespaces(facts)},
    }
    if choices.host and facts.istio:
        made["istio"] = {"enabled": True, "host": choices.host}
    elif choices.host:
        made["ingress"] = {"enabled": True, "host": choices.host}
        if facts.ingress_classes:
            made["ingress"]["className"] = _preferred(facts.ingress_classes)
    if facts.spot:
        made["spot"] = {"nodeSelector": dict(facts.spot)}
    if choices.registry:
        made["image"] = {each: {"repository": choices.registry} for each in ("cpu", "gpu")}
    if choices.trial:
        made["trial"] = {"enabled": True}
        made["networkPolicy"]["stores"] = {"cidrs": [], "ports": []}
    artifacts = choices.artifacts or (
        f"s3://kinesphere?endpoint=http://{name}-minio:9000" if choices.trial else ""
    )
    if artifacts:
        made["settings"] = {"artifacts_url": artifacts}
    return made


def _scaler(facts: Facts) -> str:
    if facts.keda:
        return "keda"
    return "hpa" if facts.external_metrics else "none"


def _namespaces(facts: Facts) -> dict[str, list[str]]:
    """Of those who may ask, where they were seen; the chart's own guesses for the others."""
    roles = {"proxies": "ingress", "scaler": "keda", "monitoring": "prometheus"}
    return {
        role: [facts.controllers[kind]] for role, kind in roles.items() if kind in facts.controllers
    }


def _preferred(classes: Collection[str]) -> str:
    return "nginx" if "nginx" in classes else min(classes)
