"""As much of the API of Kubernetes, over HTTPS, as kubectl asks for to read what was recorded."""

import base64
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import trustme

from tests.deploy import recorded

TOKEN = "a-token"

# Group and version, then kind, plural, and whether it is in a namespace.
KNOWN = {
    "v1": [
        ("Node", "nodes", False),
        ("Namespace", "namespaces", False),
        ("Secret", "secrets", True),
    ],
    "apps/v1": [("Deployment", "deployments", True)],
    "networking.k8s.io/v1": [("IngressClass", "ingressclasses", False)],
    "storage.k8s.io/v1": [("StorageClass", "storageclasses", False)],
    "nvidia.com/v1": [("ClusterPolicy", "clusterpolicies", False)],
}
MORE = ("keda.sh/v1alpha1", "monitoring.coreos.com/v1", "external.metrics.k8s.io/v1beta1")


def answers(cluster: dict[str, Any]) -> dict[str, Any]:
    """By path, what is found there."""
    groups = [name for name in (*KNOWN, *MORE) if "/" in name]
    found: dict[str, Any] = {
        "/version": {**cluster["version -o json"]["serverVersion"], "gitVersion": "v1.31.2"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_group(g) for g in groups],
        },
    }
    for group, kinds in KNOWN.items():
        base = f"/apis/{group}" if "/" in group else f"/api/{group}"
        resources = [
            {"name": name, "kind": kind, "namespaced": inside, "verbs": ["get", "list"]}
            for kind, name, inside in kinds
        ]
        found[base] = {"kind": "APIResourceList", "groupVersion": group, "resources": resources}
        for kind, name, _ in kinds:
            listed = next((v for k, v in cluster.items() if k.startswith(f"get {name}")), None)
            if listed is not None:
                items = [{"apiVersion": group, "kind": kind, **each} for each in listed["items"]]
                found[f"{base}/{name}"] = {
                    "apiVersion": group,
                    "kind": f"{kind}List",
                    "items": items,
                }
    keys = cluster["get secret kinesphere -n kinesphere"]
    found["/api/v1/namespaces/kinesphere"] = {"apiVersion": "v1", "kind": "Namespace"} | cluster[
        "get namespace kinesphere -o json"
    ]
    found["/api/v1/namespaces/kinesphere/secrets/kinesphere"] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "kinesphere"},
        "data": {key: base64.b64encode(b"hidden").decode() for key in keys if key},
    }
    return found


def _group(name: str) -> dict[str, Any]:
    group, _, number = name.partition("/")
    version = {"groupVersion": name, "version": number}
    return {"name": group, "versions": [version], "preferredVersion": version}


@contextmanager
def serving(folder: Path, cluster: dict[str, Any] = recorded.RICH) -> Iterator[Path]:
    """Serve a cluster on loopback; the kubeconfig that leads to it."""
    known = answers(cluster)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers["authorization"] == f"Bearer {TOKEN}"
            found = known.get(urlsplit(self.path).path) if allowed else None
            body = json.dumps(found or {"kind": "Status", "status": "Failure", "code": 404})
            self.send_response(200 if found else 404 if allowed else 401)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *words: object) -> None:
            pass

    authority = trustme.CA()
    terms = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(terms)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = terms.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield _configured(folder, server.server_address[1], authority.cert_pem.bytes())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _configured(folder: Path, port: int, authority: bytes) -> Path:
    trusted = base64.b64encode(authority).decode()
    server = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": trusted}
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "here", "cluster": server}],
                "users": [{"name": "me", "user": {"token": TOKEN}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            }
        )
    )
    return path
