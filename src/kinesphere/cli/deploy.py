"""`kinesphere deploy`: manifests for a cluster, and what a cluster lacks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kinesphere.cli import doctor
from kinesphere.cli.console import store
from kinesphere.cli.exits import Exit, leave
from kinesphere.cli.findings import Finding
from kinesphere.deploy import chart, facts, verification
from kinesphere.deploy.choices import Choices, NoSuchModel, values
from kinesphere.deploy.facts import Ask, Facts, Unanswered

HEADER: Final = "# Written by kinesphere deploy render.\n"
"""First line of every file, by which those of an earlier run are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line says of a release; None and "" where it says nothing."""

    models: Sequence[str] | None
    facts: Path | None
    values: tuple[Path, ...]
    host: str
    registry: str
    artifacts: str
    trial: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where the release is to be, and which Secret it reads."""

    namespace: str
    secret: str
    context: str | None


def run_render(wanted: Wanted, release: chart.Release, out: Path, values_out: Path | None) -> None:
    """Write the manifests, and the values where asked. What was there of an earlier one goes."""
    try:
        chosen = _chosen(wanted, release)
        manifests = chart.rendered(chosen, release)
    except (chart.ChartError, NoSuchModel, ValueError) as error:
        raise leave(Exit.USAGE, str(error)) from None
    if problems := verification.problems(chart.documents(manifests)):
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise leave(Exit.USAGE, f"the manifests are not right:\n{lines}")
    if values_out is not None:
        store(values_out, chart.written(chosen).encode())
    for old in out.glob("*.yaml"):
        if old.read_text("utf-8").startswith(HEADER):
            old.unlink()
    for name, text in manifests.items():
        store(out / name, (HEADER + text).encode())
    print(
        f"{len(manifests)} files in {out}: kubectl apply --namespace {release.namespace} -f {out}"
    )


def _chosen(wanted: Wanted, release: chart.Release) -> dict[str, Any]:
    presets = chart.defaults()
    known = Facts()
    if wanted.facts is not None:
        known = facts.from_json(wanted.facts.read_text("utf-8"))
    enabled = {pool["model"] for pool in presets["pools"].values() if pool["enabled"]}
    choices = Choices(
        models=sorted(enabled) if wanted.models is None else wanted.models,
        host=wanted.host,
        registry=wanted.registry,
        artifacts=wanted.artifacts,
        trial=wanted.trial,
    )
    chosen: dict[str, Any] = {}
    if wanted.facts is not None or wanted.models is not None or wanted.trial or wanted.host:
        chosen = values(choices, known, presets, release.name)
    for given in chart.read(wanted.values):
        chosen = chart.merged(chosen, given)
    return chosen


def run_check(models: Sequence[str], place: Place, facts_out: Path | None, as_json: bool) -> None:
    """Tell what a cluster has and lacks for some models."""
    ask = facts.kubectl(place.context)
    try:
        presets = chart.defaults()
        known = facts.gathered(ask)
    except Unanswered as error:
        raise leave(Exit.UNREACHABLE, f"the cluster cannot be asked: {error}") from None
    except chart.ChartError as error:
        raise leave(Exit.USAGE, str(error)) from None
    if facts_out is not None:
        store(facts_out, known.as_json().encode())
    doctor.tell(examine(models, known, presets, place, ask), as_json)


def examine(
    models: Sequence[str], known: Facts, presets: Mapping[str, Any], place: Place, ask: Ask
) -> Iterator[Finding]:
    """Every finding about a cluster."""
    told = ".".join(map(str, known.version))
    if known.version < facts.NEEDED_VERSION:
        wanted = ".".join(map(str, facts.NEEDED_VERSION))
        yield Finding("kubernetes", "fail", told, f"upgrade the cluster to {wanted} or newer")
    else:
        yield Finding("kubernetes", "ok", told)
    yield from _gpus(models, known, presets)
    yield _controller(known, "keda", known.keda, "install KEDA, or let an HPA or nobody scale")
    yield _controller(known, "istio", known.istio, "")
    yield _controller(
        known, "prometheus", known.prometheus, "install the Prometheus operator for alerts"
    )
    if known.istio or known.ingress_classes:
        classes = ", ".join(known.ingress_classes) or "none"
        yield Finding("ingress classes", "ok", classes)
    else:
        advice = "install ingress-nginx or Istio, or forward a port"
        yield Finding("ingress classes", "warn", "none", advice)
    if known.default_storage:
        yield Finding("storage class", "ok", known.default_storage)
    else:
        advice = "only a trial inside the cluster needs one: set trial.storageClassName"
        yield Finding("storage class", "warn", "no default", advice)
    yield from _namespace(place, ask)


def _gpus(models: Sequence[str], known: Facts, presets: Mapping[str, Any]) -> Iterator[Finding]:
    wanted = {
        name: int(pool["gpu"]["class"])
        for name, pool in presets["pools"].items()
        if pool["model"] in models and "gpu" in pool
    }
    for each in known.gpus:
        spot = ", spot" if each.spot else ""
        told = f"{each.count} of {each.memory:,} MiB on {each.nodes} nodes{spot}"
        yield Finding(f"gpu {each.product}", "ok", told)
    if known.gpu_operator:
        if known.gpu_operator == "ready":
            yield Finding("gpu operator", "ok", "ready")
        else:
            advice = "look at: kubectl get clusterpolicies.nvidia.com -o yaml"
            yield Finding("gpu operator", "fail", known.gpu_operator, advice)
    elif wanted:
        found = "none, but nodes offer GPUs" if known.gpus else "none"
        advice = "install it: it labels nodes with their GPUs' memory, by which pods are placed"
        yield Finding("gpu operator", "warn" if known.gpus else "fail", found, advice)
    for pool, gigabytes in sorted(wanted.items()):
        count = known.devices(gigabytes)
        if count:
            yield Finding(f"pool {pool}", "ok", f"{count} GPUs of {gigabytes} GB and more")
        else:
            advice = "add nodes with such GPUs, or let the node autoscaler know of some"
            yield Finding(f"pool {pool}", "warn", f"no GPU of {gigabytes} GB", advice)


def _controller(known: Facts, name: str, there: bool, advice: str) -> Finding:
    place = known.controllers.get(name, "")
    if there:
        return Finding(name, "ok", f"in namespace {place}" if place else "its resources are known")
    if place:
        return Finding(name, "fail", f"runs in {place}, but its resources are not known", advice)
    return Finding(name, "warn" if advice else "ok", "none", advice)


def _namespace(place: Place, ask: Ask) -> Iterator[Finding]:
    """Whether the release can be put there, and finds its Secret."""
    try:
        labels = ask("get", "namespace", place.namespace, "-o", "json")["metadata"].get(
            "labels", {}
        )
    except Unanswered as error:
        advice = f"kubectl create namespace {place.namespace}"
        yield Finding("namespace", "fail", str(error), advice)
        return
    level = labels.get("pod-security.kubernetes.io/enforce", "privileged")
    yield Finding("namespace", "ok", f"{place.namespace}, pod security {level}")
    try:
        # Names only: what is in a Secret is nobody's business here.
        template = 'go-template=[{{range $key, $_ := .data}}"{{$key}}",{{end}}""]'
        keys = ask("get", "secret", place.secret, "-n", place.namespace, "-o", template)
    except Unanswered as error:
        yield Finding("secret", "fail", str(error), "make it: docs/operations/kubernetes.md")
        return
    needed = ("database-url", "redis-url", "broker-url", "link-secret")
    if missing := [key for key in needed if key not in keys]:
        yield Finding("secret", "fail", f"{place.secret} lacks {', '.join(missing)}", "add them")
    else:
        yield Finding("secret", "ok", f"{place.secret} has {', '.join(sorted(keys)).lstrip(', ')}")
