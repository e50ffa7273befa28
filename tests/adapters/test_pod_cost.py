"""The pod deletion cost, told to a server that answers as the Kubernetes API does."""

import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kinesphere.adapters.pod_cost import ANNOTATION, ORIGIN, Pod, PodCost, cost_of
from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.settings import Settings
from kinesphere.wiring import parts
from tests.clock import VirtualClock

READY = Status(
    worker="w", pool="p", model="m", state=ReplicaState.READY, since=0.0, pid=1, batches=0, jobs=0,
    held=0, children=1, load_seconds=None, warm_seconds=None, memory=0, fixed_seconds=0.0,
    job_seconds=10.0, last_error="",
)  # fmt: skip


def busy(seconds: float) -> Status:
    return replace(READY, state=ReplicaState.BUSY, held=1, free_in=seconds)


@dataclass
class Api:
    """A Kubernetes API that knows one pod, and takes the token that the account has."""

    account: Path
    url: str = ""
    status: int = 200
    seen: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        known = f"Bearer {(self.account / 'token').read_text()}"
        status = self.status if request.headers["Authorization"] == known else 401
        path = request.path.partition("?")[0]
        if path != "/api/v1/namespaces/motion/pods/worker-7":
            status = 404
        self.seen.append((path, request.headers["Content-Type"], body))
        answer = json.dumps({"kind": "Pod" if status == 200 else "Status", "code": status}).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    @property
    def costs(self) -> list[int]:
        return [int(body["metadata"]["annotations"][ANNOTATION]) for _, _, body in self.seen]


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    began = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + datetime.timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    (folder / "ca.crt").write_bytes(made.public_bytes(Encoding.PEM))
    both = folder / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    both.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return both


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    account = tmp_path / "account"
    served = certificate(account)
    (account / "token").write_text("first")
    (account / "namespace").write_text("motion\n")
    found = Api(account)

    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            found.handle(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    terms = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    terms.load_cert_chain(served)
    server.socket = terms.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    found.url = f"https://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Worker:
    """A pod's replicas, and what tells of them."""

    api: Api
    clock: VirtualClock = field(default_factory=VirtualClock)
    statuses: list[Status] = field(default_factory=lambda: [READY])

    def __post_init__(self) -> None:
        environ = {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": self.api.url.rpartition(":")[2],
        }
        pod = Pod.here(environ, "worker-7", self.api.account)
        assert pod is not None
        self.cost = PodCost(pod, self.clock, lambda: self.statuses)

    async def after(self, seconds: float, *statuses: Status) -> list[int]:
        """What the API has been told once the replicas have been so for some time."""
        self.clock.tick(seconds)
        self.statuses = list(statuses)
        await self.cost.tell()
        return self.api.costs


def test_the_longest_work_costs_most_and_none_costs_nothing() -> None:
    now = 1_800_000_000.0
    assert cost_of([], now) == cost_of([READY], now) == 0
    assert cost_of([busy(10.0)], now) == int(now - ORIGIN) + 10
    assert cost_of([busy(90.0), READY], now) > cost_of([busy(10.0)], now) > 0
    storing = replace(READY, held=1, remaining={"01A": 4.0})
    assert cost_of([storing], now) == int(now - ORIGIN) + 4
    # As long as an annotation may be, an int32.
    assert cost_of([busy(86_400.0)], now) < 2**31


async def test_a_pod_tells_when_it_has_work_and_when_it_has_none(api: Api) -> None:
    worker = Worker(api)
    assert await worker.after(0.0, READY) == [0]
    ends = int(worker.clock.now() + 20.0 + 75.0 - ORIGIN)
    assert await worker.after(20.0, busy(75.0)) == [0, ends]
    # The work goes on as expected: nothing is written, and too soon nothing either.
    assert await worker.after(40.0, busy(35.0)) == [0, ends]
    assert await worker.after(40.0, busy(35.0)) == [0, ends, ends + 40]
    assert await worker.after(5.0, READY) == [0, ends, ends + 40]
    assert await worker.after(5.0, READY) == [0, ends, ends + 40, 0]
    assert {kind for _, kind, _ in api.seen} == {"application/merge-patch+json"}
    assert {path for path, _, _ in api.seen} == {"/api/v1/namespaces/motion/pods/worker-7"}


async def test_a_new_token_is_used_and_a_refusal_is_told_and_tried_again(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(api)
    (api.account / "token").write_text("second")
    api.status = 403
    await worker.after(0.0, READY)
    assert "403" in caplog.text
    await worker.after(4.0, READY)
    assert len(api.seen) == 1
    api.status = 200
    await worker.after(1.0, READY)
    await worker.after(60.0, READY)
    assert len(api.seen) == 2


async def test_nothing_is_told_to_a_server_that_the_account_does_not_trust(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(api)
    certificate(api.account)
    await worker.after(0.0, READY)
    assert api.seen == []
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_outside_of_a_pod_there_is_none(tmp_path: Path) -> None:
    assert Pod.here({}, "x") is None
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    assert Pod.here(environ, "x", tmp_path) is None
    (tmp_path / "namespace").write_text("motion")
    found = Pod.here(environ | {"KUBERNETES_SERVICE_PORT": "6443"}, "x", tmp_path)
    assert found == Pod("https://[fd00::1]:6443", "motion", "x", tmp_path)


def test_it_is_off_unless_it_is_wanted_and_there_is_a_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    clock = VirtualClock()
    assert parts.pod_cost(Settings(data=tmp_path), clock, list) is None
    assert not caplog.text
    wanted = Settings(data=tmp_path, pod_deletion_cost=True)
    assert parts.pod_cost(wanted, clock, list) is None
    assert "not in a pod" in caplog.text
