"""The network of the fault tests does what it says."""

from collections.abc import Iterator

import pytest
import redis
from deploy.onebox.redis_server import redis_server
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.network import Fault, Link, network


@pytest.fixture(scope="module")
def link() -> Iterator[Link]:
    with redis_server() as server, network() as net:
        yield net.link(int(server.url.rpartition(":")[2].partition("/")[0]))


def client(link: Link) -> "redis.Redis":
    return redis.Redis(port=link.port, socket_timeout=0.5, retry=Retry(NoBackoff(), 0), protocol=2)


@pytest.mark.parametrize("fault", [f for f in Fault if f is not Fault.NONE])
def test_a_fault_is_felt_and_mended(link: Link, fault: Fault) -> None:
    with client(link) as connection:
        connection.set("a", "1")
        link.break_down(fault)
        with pytest.raises(redis.RedisError):
            connection.set("a", fault.value)
    link.mend()
    with client(link) as again:
        # The one way of the four in which the server heard it.
        heard = fault is Fault.SILENT_BACK
        assert again.get("a") == (fault.value.encode() if heard else b"1")
