"""The chart makes what Kubernetes, KEDA, Istio and Prometheus take, and what fits together."""

import json
from collections.abc import Iterator
from typing import Any

import helm_python
import pytest

from kinesphere.deploy.verification import containers, problems
from tests.deploy import judges
from tests.deploy.conftest import CHART, Documents

SETS = ("istio", "production", "trial")


def test_helm_finds_nothing_to_mend() -> None:
    found = helm_python.lint(CHART, strict=True)
    assert not found["errors"]
    # An icon is a matter of taste.
    assert [m["error"] for m in found["messages"]] == ["icon is recommended"]


@pytest.fixture(scope="module")
def different(documents: dict[str, Documents]) -> Documents:
    """Every resource of every example, equal ones once."""
    return list(
        {json.dumps(d, sort_keys=True): d for ds in documents.values() for d in ds}.values()
    )


@pytest.mark.parametrize("version", judges.versions())
def test_every_version_of_kubernetes_takes_it(different: Documents, version: str) -> None:
    assert [f for document in different for f in judges.standard_faults(document, version)] == []


def test_keda_istio_and_prometheus_take_it(different: Documents) -> None:
    custom = {document["kind"] for document in different if judges.is_custom(document)}
    assert {"ScaledObject", "TriggerAuthentication", "Gateway", "VirtualService"} <= custom
    assert {"DestinationRule", "ServiceMonitor", "PodMonitor", "PrometheusRule"} <= custom
    assert [f for document in different for f in judges.custom_faults(document)] == []


def test_the_judges_find_what_is_wrong(different: Documents) -> None:
    def broken(kind: str, **spec: Any) -> dict[str, Any]:
        good = next(d for d in different if d["kind"] == kind)
        return {**good, "spec": {**good["spec"], **spec}}

    newest = judges.versions()[-1]
    assert list(judges.standard_faults(broken("Deployment", replicas="three"), newest))
    assert list(judges.standard_faults(broken("Deployment", repliacs=3), newest))
    assert list(judges.custom_faults(broken("ScaledObject", maxReplicas=3)))
    assert list(judges.custom_faults(broken("VirtualService", http=[{"route": [{}]}])))


@pytest.mark.parametrize("name", SETS)
def test_every_process_finds_its_settings_and_every_pool_its_replica(
    documents: dict[str, Documents], name: str
) -> None:
    assert problems(documents[name]) == []


def test_what_does_not_fit_is_told(documents: dict[str, Documents]) -> None:
    kept = [d for d in documents["production"] if not d["metadata"]["name"].endswith("choreo")]
    assert problems(kept) == ["no Deployment serves the pool choreo"]
    policies = [d for d in documents["production"] if "policy.toml" not in (d.get("data") or {})]
    assert problems(policies) == ["there is no scaling policy"]


@pytest.mark.parametrize("name", SETS)
def test_what_is_named_is_there(documents: dict[str, Documents], name: str) -> None:
    made = documents[name]
    there = {(d["kind"], d["metadata"]["name"]) for d in made}
    assert len(there) == len(made)
    assert set(_named(made)) <= there
    pods = [d["spec"]["template"]["metadata"]["labels"] for d in made if _runs(d)]
    for document in made:
        selector = _selector(document)
        if selector is not None:
            assert any(selector.items() <= labels.items() for labels in pods), document
        if _runs(document):
            chosen = document["spec"]["selector"]["matchLabels"].items()
            assert sum(chosen <= labels.items() for labels in pods) == 1, document


def _runs(document: Any) -> bool:
    return document["kind"] in ("Deployment", "StatefulSet")


def _selector(document: Any) -> dict[str, str] | None:
    spec = document.get("spec", {})
    if document["kind"] == "Service":
        return dict(spec["selector"])
    if document["kind"] == "NetworkPolicy":
        return dict(spec["podSelector"]["matchLabels"])
    if document["kind"] in ("PodDisruptionBudget", "PodMonitor"):
        return dict(spec["selector"]["matchLabels"])
    return None


def _named(documents: Documents) -> Iterator[tuple[str, str]]:
    """What resources refer to and is not the cluster's or a Secret."""
    for document in documents:
        spec = document.get("spec", {})
        if _runs(document):
            pod = spec["template"]["spec"]
            yield "ServiceAccount", pod["serviceAccountName"]
            yield "PriorityClass", pod["priorityClassName"]
            maps = [v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v]
            yield from (("ConfigMap", n) for n in maps if n != "kinesphere-weights")
        if "scaleTargetRef" in spec:
            yield "Deployment", spec["scaleTargetRef"]["name"]
        for trigger in spec.get("triggers", ()):
            if "authenticationRef" in trigger:
                yield "TriggerAuthentication", trigger["authenticationRef"]["name"]
        if document["kind"] == "Ingress":
            paths = [path for rule in spec["rules"] for path in rule["http"]["paths"]]
            yield from (("Service", path["backend"]["service"]["name"]) for path in paths)
        if document["kind"] == "VirtualService":
            yield from (("Gateway", name) for name in spec["gateways"])
            for route in spec["http"]:
                assert sum(each["weight"] for each in route["route"]) == 100
                hosts = [each["destination"]["host"] for each in route["route"]]
                yield from (("Service", host.split(".")[0]) for host in hosts)


def test_weights_lead_to_subsets_and_subsets_to_pods(documents: dict[str, Documents]) -> None:
    made = {d["kind"]: d for d in documents["istio"]}
    subsets = {s["name"]: s["labels"] for s in made["DestinationRule"]["spec"]["subsets"]}
    (route,) = made["VirtualService"]["spec"]["http"]
    assert {r["destination"]["subset"]: r["weight"] for r in route["route"]} == {
        "stable": 90,
        "canary": 10,
    }
    apis = {
        name: container["image"]
        for d, container in containers(documents["istio"])
        for name, labels in subsets.items()
        if container["name"] == "api"
        and labels.items() <= d["spec"]["template"]["metadata"]["labels"].items()
    }
    assert apis == {"stable": "kinesphere:0.1.0-cpu", "canary": "kinesphere:0.2.0-cpu"}


def test_models_have_the_machines_that_they_need(documents: dict[str, Documents]) -> None:
    found = {}
    for document, container in containers(documents["production"]):
        if container["name"] == "worker":
            asked = container["resources"]
            assert asked["requests"] == asked["limits"]
            found[document["metadata"]["name"].removeprefix("kinesphere-")] = (
                asked["limits"]["cpu"],
                asked["limits"]["memory"],
                asked["limits"].get("nvidia.com/gpu"),
                _least_memory(document["spec"]["template"]["spec"]),
            )
    # 24 GB as makers print it are 22,888 MiB, and the label must be greater than the value.
    assert found["hymotion-a10"] == found["hymotion-a10-spot"] == ("8", "16Gi", "1", 22_887)
    assert found["hymotion-lite"] == ("4", "12Gi", "1", 20_979)
    assert found["hunyuan3d-2-shape"] == ("4", "16Gi", "1", 15_257)
    assert found["choreo"] == ("1", "1Gi", None, None)


def _least_memory(pod: Any) -> int | None:
    if "affinity" not in pod:
        return None
    required = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"][0]["matchExpressions"]
    assert (term["key"], term["operator"]) == ("nvidia.com/gpu.memory", "Gt")
    return int(term["values"][0])


def test_a_pod_is_not_killed_while_it_loads_or_drains(documents: dict[str, Documents]) -> None:
    for document, container in containers(documents["production"]):
        if container["name"] != "worker":
            continue
        pod = document["spec"]["template"]["spec"]
        drain = next(e["value"] for e in container["env"] if e["name"].endswith("DRAIN_SECONDS"))
        assert pod["terminationGracePeriodSeconds"] > int(drain)
        startup = container["startupProbe"]
        loading = startup["periodSeconds"] * startup["failureThreshold"]
        assert loading >= 120
        assert document["spec"]["progressDeadlineSeconds"] > loading


def test_nothing_runs_as_root_but_what_hands_over_a_folder(
    documents: dict[str, Documents],
) -> None:
    for document, container in containers([d for ds in documents.values() for d in ds]):
        allowed = container["securityContext"]
        assert allowed["readOnlyRootFilesystem"]
        assert not allowed["allowPrivilegeEscalation"]
        assert allowed["capabilities"]["drop"] == ["ALL"]
        if container["name"] == "own":
            assert container["command"][0] == "chown"
            assert document["metadata"]["name"].startswith("kinesphere-h")
        else:
            assert allowed["runAsNonRoot"]


def test_what_keda_reads_is_the_plan(documents: dict[str, Documents]) -> None:
    scaled = {
        d["metadata"]["name"]: d["spec"]
        for d in documents["production"]
        if d["kind"] == "ScaledObject"
    }
    assert scaled["kinesphere-choreo"]["minReplicaCount"] == 1
    assert scaled["kinesphere-choreo"]["maxReplicaCount"] == 8
    assert scaled["kinesphere-hunyuan3d-2-shape"]["minReplicaCount"] == 0
    assert [t["type"] for t in scaled["kinesphere-hymotion-lite"]["triggers"]] == [
        "metrics-api",
        "cron",
    ]
    for name, spec in scaled.items():
        plan = spec["triggers"][0]
        assert (plan["metricType"], plan["metadata"]["targetValue"]) == ("AverageValue", "1")
        tier = name.removeprefix("kinesphere-hymotion-")
        where = f"tiers.{tier}" if tier.startswith("a10") else "replicas"
        assert plan["metadata"]["valueLocation"] == where
        assert spec["fallback"]["replicas"] >= 1
