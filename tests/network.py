"""A network that can be cut, for tests: TCP proxies on loopback that drop, stall and delay."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

from deploy.onebox.daemon import free_ports

_PIECE = 65_536


class Fault(Enum):
    """What a link does to what is sent through it."""

    NONE = "none"
    REFUSED = "refused"
    """Connections are reset, and new ones closed at once."""
    SILENT = "silent"
    """Both ways everything is swallowed; connections stay open."""
    SILENT_THERE = "silent there"
    """What the client sends is swallowed; answers to what came before still arrive."""
    SILENT_BACK = "silent back"
    """The server gets everything, and its answers are swallowed."""


@dataclass(eq=False)
class Link:
    """One proxied connection to a server. Clients use `port`; tests call the methods."""

    target: int
    port: int
    _loop: asyncio.AbstractEventLoop
    _fault: Fault = Fault.NONE
    _delay: float = 0.0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def break_down(self, fault: Fault) -> None:
        """From now on, for open connections and new ones."""
        self._call(self.change(fault))

    def mend(self) -> None:
        """Carry everything again. What was swallowed stays lost, so those connections are reset."""
        self._call(self.change(Fault.NONE))

    def delay(self, seconds: float) -> None:
        """Carry each piece so much later."""
        self._delay = seconds

    def _call(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def change(self, fault: Fault) -> None:
        """The same as `break_down` and `mend`, on the network's own loop."""
        before, self._fault = self._fault, fault
        if fault is Fault.REFUSED or (fault is Fault.NONE and before is not Fault.NONE):
            for writer in tuple(self._writers):
                # A reset, not an orderly end: what a cable that is pulled leads to in the end.
                with suppress(OSError):
                    writer.transport.abort()

    async def serve(self) -> asyncio.Server:
        """Accept connections."""
        return await asyncio.start_server(self._accepted, "127.0.0.1", self.port)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._fault is Fault.REFUSED:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, back}
        self._writers |= both
        try:
            await asyncio.gather(
                self._carry(reader, back, Fault.SILENT_THERE),
                self._carry(there, writer, Fault.SILENT_BACK),
            )
        finally:
            self._writers -= both
            for end in both:
                end.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lossy: Fault
    ) -> None:
        try:
            while piece := await reader.read(_PIECE):
                if self._delay:
                    await asyncio.sleep(self._delay)
                if self._fault not in (Fault.SILENT, lossy):
                    writer.write(piece)
                    await writer.drain()
        except OSError:
            pass
        finally:
            with suppress(OSError, RuntimeError):
                writer.close()


@contextmanager
def network() -> Iterator["Network"]:
    """A network of links, torn down with the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="network", daemon=True)
    thread.start()
    made = Network(loop)
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(made.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class Network:
    """Makes links."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._servers: list[asyncio.Server] = []
        self._links: list[Link] = []

    def link(self, target: int) -> Link:
        """A link to a port on loopback."""
        (port,) = free_ports(1)
        link = Link(target, port, self._loop)
        server = asyncio.run_coroutine_threadsafe(link.serve(), self._loop).result(10)
        self._servers.append(server)
        self._links.append(link)
        return link

    async def close(self) -> None:
        """End every connection."""
        for server in self._servers:
            server.close()
        for link in self._links:
            await link.change(Fault.REFUSED)
        for _ in range(3):
            await asyncio.sleep(0)
