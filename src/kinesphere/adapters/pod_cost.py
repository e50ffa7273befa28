"""A worker's pod tells Kubernetes what its end would cost, so that scale-in ends idle pods first.

A ReplicaSet that must lose pods ends those first whose annotation
`controller.kubernetes.io/pod-deletion-cost` is lowest; a pod without one costs 0
(https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost). Since
each change is a write to the API server, an idle pod costs 0 and a busy one the moment at which its
work is expected to end, which stays the same while the work runs as expected.
"""

import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from kinesphere.core.replicas import ReplicaState, Status
from kinesphere.ports import Clock

ANNOTATION: Final = "controller.kubernetes.io/pod-deletion-cost"

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes puts a pod's token, the API's certificate authority and the namespace."""

ORIGIN: Final = 1_577_836_800.0
"""1 January 2020. A cost is seconds from here, for it has 31 bits."""

LOOK: Final = 1.0
"""Seconds between two looks at the replicas."""

PAUSE: Final = 10.0
"""Seconds between two writes at least."""

MOVED: Final = 30.0
"""Seconds by which the expected end of the work must move to be told anew."""

RETRIES: Final = (5.0, 300.0)
"""Seconds after a write that failed until the next, doubling from the first to the second."""

TIMEOUT: Final = 5.0

_log = logging.getLogger("kinesphere.worker")


@dataclass(frozen=True, slots=True)
class Pod:
    """This process's own pod.

    Attributes:
        api: Address of the Kubernetes API.
        namespace: The pod's namespace.
        name: Its name.
        account: Folder with the service account's `token` and `ca.crt`.
    """

    api: str
    namespace: str
    name: str
    account: Path = SERVICE_ACCOUNT

    @classmethod
    def here(
        cls, environ: Mapping[str, str], name: str, account: Path = SERVICE_ACCOUNT
    ) -> "Pod | None":
        """The pod in which this process runs, or None where it runs in none."""
        host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
        if not host or not port:
            return None
        try:
            namespace = (account / "namespace").read_text("utf-8").strip()
        except OSError:
            return None
        return cls(
            str(httpx.URL(scheme="https", host=host, port=int(port))), namespace, name, account
        )

    async def annotate(self, cost: int) -> None:
        """Write the cost. Raises httpx.HTTPError, OSError.

        The token is read anew, because Kubernetes replaces it every hour.
        """
        token = (self.account / "token").read_text("utf-8").strip()
        trusted = ssl.create_default_context(cafile=self.account / "ca.crt")
        async with httpx.AsyncClient(verify=trusted, timeout=TIMEOUT, trust_env=False) as client:
            answer = await client.patch(
                f"{self.api}/api/v1/namespaces/{self.namespace}/pods/{self.name}",
                params={"fieldManager": "kinesphere"},
                json={"metadata": {"annotations": {ANNOTATION: str(cost)}}},
                headers={
                    "Authorization": f"Bearer {token}",
                    "Content-Type": "application/merge-patch+json",
                },
            )
            answer.raise_for_status()


def cost_of(statuses: Sequence[Status], now: float) -> int:
    """What the end of a pod with these replicas would cost: 0 when idle, the latest end if busy."""
    left = [
        max(each.free_in, *each.remaining.values(), 0.0)
        for each in statuses
        if each.state is ReplicaState.BUSY or each.held
    ]
    return int(now + max(left) - ORIGIN) if left else 0


class PodCost:
    """Keeps the annotation right."""

    def __init__(self, pod: Pod, clock: Clock, everyone: Callable[[], Sequence[Status]]) -> None:
        self._pod = pod
        self._clock = clock
        self._everyone = everyone
        self._told: int | None = None
        self._next = float("-inf")
        self._failures = 0

    async def run(self) -> None:
        """Tell for ever."""
        while True:
            await self.tell()
            await self._clock.sleep(LOOK)

    async def tell(self) -> None:
        """Look once, and write what changed, when it is time to."""
        cost = cost_of(self._everyone(), self._clock.now())
        now = self._clock.monotonic()
        if now < self._next or not self._is_news(cost):
            return
        try:
            await self._pod.annotate(cost)
        except (httpx.HTTPError, OSError) as error:
            first, last = RETRIES
            self._next = now + min(first * 2.0**self._failures, last)
            self._failures = min(self._failures + 1, 16)
            _log.warning(
                "pod deletion cost not told: %s", error, extra={"action": "pod_cost_failed"}
            )
            return
        self._failures = 0
        self._told, self._next = cost, now + PAUSE

    def _is_news(self, cost: int) -> bool:
        told = self._told
        if told is None or not told or not cost:
            return cost != told
        return abs(cost - told) >= MOVED
