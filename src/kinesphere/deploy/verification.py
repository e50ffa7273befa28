"""Whether manifests say to the processes what the processes can take.

Helm knows YAML; this knows the platform: every variable is a setting, every pool of every model
has a replica somewhere, every tier is in the policy.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from kinesphere.deploy.chart import Document
from kinesphere.elastic.policies import PolicyFile
from kinesphere.engines.catalog import CatalogError, served
from kinesphere.settings import Settings, SettingsError, load_settings
from kinesphere.wiring.roles import CLUSTER

PREFIX: Final = "KINESPHERE_"

_SECRETS: Final = {
    "KINESPHERE_DATABASE_URL": "postgresql://user@host/kinesphere",
    "KINESPHERE_REDIS_URL": "redis://host/0",
    "KINESPHERE_BROKER_URL": "redis://host/1",
}
_LONG: Final = "0" * 64
"""In place of a secret, which is not here to be looked at."""


def problems(documents: Sequence[Document]) -> list[str]:
    """Everything that would keep a process from starting, or a job from being made."""
    found: list[str] = []
    policy, wrong = _policy(documents)
    found += wrong
    processes: dict[str, Settings] = {}
    pools: dict[str, str] = {}
    for deployment, container in containers(documents):
        name = deployment["metadata"]["name"]
        words = container.get("args", [])
        if not words or words[0] not in ("api", "sweeper", "worker"):
            continue
        try:
            settings = load_settings(environment(container))
        except SettingsError as error:
            found += [f"{name}: {problem}" for problem in error.problems]
            continue
        missing = [need for need in CLUSTER if getattr(settings, need.name) is None]
        found += [f"{name}: {need.name} is not set, and {need.reason}" for need in missing]
        processes[name] = settings
        if words[0] == "worker":
            pool = words[words.index("--pool") + 1]
            pools[name] = pool
            found += _tier(name, pool, settings, policy)
    if processes:
        found += _unserved(next(iter(processes.values())), pools)
    return found


def containers(documents: Sequence[Document]) -> Iterator[tuple[Document, Mapping[str, Any]]]:
    """Every container of every Deployment, those of its start included."""
    for document in documents:
        if document["kind"] != "Deployment":
            continue
        pod = document["spec"]["template"]["spec"]
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            yield document, container


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    """A container's settings; something of the right form for those that come from a Secret."""
    told = {}
    for variable in container.get("env", ()):
        name = variable["name"]
        if name.startswith(PREFIX):
            told[name] = variable.get("value") or _SECRETS.get(name, _in_its_place(variable))
    return told


def _in_its_place(variable: Mapping[str, Any]) -> str:
    return "pod" if "fieldRef" in variable.get("valueFrom", {}) else _LONG


def _policy(documents: Sequence[Document]) -> tuple[PolicyFile | None, list[str]]:
    for document in documents:
        text = (document.get("data") or {}).get("policy.toml")
        if document["kind"] == "ConfigMap" and text is not None:
            try:
                return PolicyFile.model_validate(tomllib.loads(text)), []
            except (tomllib.TOMLDecodeError, ValidationError) as error:
                return None, [f"the scaling policy: {error}"]
    return None, ["there is no scaling policy"]


def _tier(name: str, pool: str, settings: Settings, policy: PolicyFile | None) -> list[str]:
    if policy is None:
        return []
    known = [tier.name for tier in policy.of(pool).tiers] or [""]
    if settings.tier in known:
        return []
    return [f"{name}: the policy of {pool} has no tier {settings.tier!r}: {', '.join(known)}"]


def _unserved(settings: Settings, workers: Mapping[str, str]) -> list[str]:
    try:
        known = set(served(settings).pools())
    except CatalogError as error:
        return [str(error)]
    lacking = [
        f"no Deployment serves the pool {pool}" for pool in sorted(known - {*workers.values()})
    ]
    return lacking + [
        f"{name} serves {pool}, which is no pool of {json.dumps(settings.models)}"
        for name, pool in workers.items()
        if pool not in known
    ]
