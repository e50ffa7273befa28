"""The replica's child process: one engine on one device, told what to do by its supervisor.

Started as `python -m kinesphere.worker.child PARENT`, with the process id of its supervisor. The
messages of `kinesphere.worker.messages` come on standard input and go to standard output; both are
moved out of the engine's reach first, so that nothing it prints can be taken for a message.

Three threads: the main one runs the engine, one reads messages, one checks and encodes results, so
that the device can have its next batch meanwhile. The child never outlives its supervisor.
"""

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from queue import Queue, SimpleQueue
from typing import Final, NoReturn

from kinesphere.core.failures import Failure
from kinesphere.ports import Engine, Outcome, Sleeps, Work
from kinesphere.worker import products
from kinesphere.worker.messages import (
    HEADER,
    BatchEnded,
    Cancel,
    Done,
    Failed,
    FromChild,
    Garbled,
    Item,
    Load,
    Output,
    Run,
    SetupFailed,
    Sleep,
    Stop,
    ToChild,
    Told,
    Turned,
    Wake,
    frame,
    length,
    to_child,
)
from kinesphere.worker.setup import Brought, bring_up, resident_memory

REPORT_EVERY: Final = 0.1
"""Seconds between two words about the progress of one piece of work."""

NEW_PHASE: Final = 0.01
"""The same where the second is of another phase: a short one would else pass untold."""

LONGEST_PHASE: Final = 80
"""Characters of a word about progress."""

OOM_BIAS: Final = 500
"""Added to the kernel's out-of-memory score: the child goes before the server does."""

READ_AT_ONCE: Final = 1 << 18
"""Bytes that are asked for at once: a message with its length, and all that a pipe holds."""

_PR_SET_PDEATHSIG: Final = 1

_Results = tuple[list[Item], Sequence[Outcome] | Failure]


class Channel:
    """Frames over two file descriptors. Any thread may send; one receives.

    When the supervisor is gone the process ends at once: nobody wants its results any more.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._read_ahead = bytearray()
        self._writing = threading.Lock()

    def receive(self) -> ToChild:
        """Wait for the next message."""
        return to_child(self._read(length(self._read(HEADER.size))))

    def send(self, message: FromChild) -> None:
        """Send one message."""
        self.write(frame(message))

    def write(self, data: bytes) -> None:
        """Write one frame, whole."""
        left = memoryview(data)
        try:
            with self._writing:
                while left:
                    left = left[os.write(self._sink, left) :]
        except OSError:
            os._exit(0)

    def _read(self, size: int) -> bytes:
        data = self._read_ahead
        while len(data) < size:
            piece = os.read(self._source, READ_AT_ONCE)
            if not piece:
                os._exit(0)
            data += piece
        read = bytes(memoryview(data)[:size])
        del data[:size]
        return read


class Desk:
    """What the three threads share: the orders, the results to encode, and what is cancelled."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.orders: SimpleQueue[Run | Sleep | Wake | Stop] = SimpleQueue()
        # One batch may wait while another is encoded: an engine that is faster than the encoder
        # is held back here, before memory fills with clips.
        self.results: Queue[_Results | None] = Queue(maxsize=1)
        self._wanted: dict[str, bool] = {}

    def read(self) -> None:
        """Take messages until the supervisor is gone; the reading thread's work."""
        while True:
            try:
                message = self.channel.receive()
            except Garbled as error:
                sys.stderr.write(f"cannot understand the supervisor: {error}\n")
                _leave(2)
            if isinstance(message, Cancel):
                if message.claim in self._wanted:
                    self._wanted[message.claim] = False
            elif isinstance(message, Run):
                self._wanted.update((item.claim, True) for item in message.items)
                self.orders.put(message)
            elif isinstance(message, Sleep | Wake | Stop):
                self.orders.put(message)

    def encode(self) -> None:
        """Check, encode and send results, batch after batch; the encoding thread's work."""
        while (results := self.results.get()) is not None:
            items, outcomes = results
            for index, item in enumerate(items):
                if isinstance(outcomes, Failure):
                    self.channel.send(_failed(item, outcomes, shared=len(items) > 1))
                else:
                    self.channel.write(self._answer(item, outcomes[index]))
                del self._wanted[item.claim]

    def cancelled(self, claim: str) -> bool:
        """Whether the supervisor wants this piece of work no more."""
        return not self._wanted[claim]

    def _answer(self, item: Item, outcome: Outcome) -> bytes:
        """The frame that answers for one piece of work; raises nothing."""
        if self.cancelled(item.claim):
            return frame(_failed(item, Failure("CANCELLED", "Cancelled on request.")))
        try:
            made = products.product(outcome, item.format)
            if isinstance(made, Failure):
                return frame(_failed(item, made))
            files = [Output(name=f.name, media_type=f.media_type, data=f.data) for f in made.files]
            return frame(Done(claim=item.claim, files=files, notes=dict(made.notes)))
        except Garbled as error:
            return frame(_failed(item, products.invalid(f"The result is too large: {error}.")))
        except Exception as error:
            traceback.print_exc()
            return frame(_failed(item, products.raised(error)))


def _failed(item: Item, failure: Failure, *, shared: bool = False) -> Failed:
    return Failed(claim=item.claim, code=failure.code, detail=failure.detail, shared=shared)


def run_batch(engine: Engine, items: list[Item], desk: Desk) -> Sequence[Outcome] | Failure:
    """Run one batch: an outcome for each item, or one failure for all of them."""
    told: list[tuple[float, str]] = [(0.0, "")] * len(items)

    def report(index: int, fraction: float, phase: str) -> None:
        now = time.monotonic()
        last, before = told[index]
        if now - last >= (REPORT_EVERY if phase == before else NEW_PHASE):
            told[index] = now, phase
            part = min(max(0.0, float(fraction)), 1.0)
            words = products.plain(phase, LONGEST_PHASE)
            desk.channel.send(Told(claim=items[index].claim, fraction=part, phase=words))

    def cancelled(index: int) -> bool:
        return desk.cancelled(items[index].claim)

    works = [Work(item.request, item.inputs) for item in items]
    try:
        returned: object = engine.run(works, report, cancelled)
    except Exception as error:
        traceback.print_exc()
        return products.raised(error)
    if isinstance(returned, Sequence) and len(returned) == len(items):
        return list(returned)
    count = len(returned) if isinstance(returned, Sequence) else type(returned).__name__
    problem = f"The engine returned {count} as outcomes of {len(items)} pieces of work."
    # Nobody knows whose outcome is missing, so each piece gets another try, by itself.
    return Failure("ENGINE_FAILED", problem) if len(items) > 1 else products.invalid(problem)


def serve(brought: Brought, desk: Desk) -> None:
    """Run batches until told to stop, and return when everything has been answered."""
    engine, usage = brought.engine, brought.usage
    encoder = threading.Thread(target=desk.encode, name="encoder", daemon=True)
    encoder.start()
    while not isinstance(order := desk.orders.get(), Stop):
        if isinstance(order, Sleep | Wake):
            turn(engine, order)
            desk.channel.send(Turned(memory=resident_memory()))
            continue
        started = time.monotonic()
        outcomes = run_batch(engine, order.items, desk)
        seconds = time.monotonic() - started
        used = usage.taken(seconds)
        # Before any result: who has the next batch at hand sends it before he sees to these.
        desk.channel.send(BatchEnded(seconds=seconds, memory=usage.resident, taken=used))
        desk.results.put((order.items, outcomes))
        del order, outcomes
    desk.results.put(None)
    encoder.join()
    engine.unload()


def turn(engine: Engine, order: Sleep | Wake) -> None:
    """Have the engine leave its device, or come back to it. Raises whatever it does."""
    if not isinstance(engine, Sleeps):
        raise Garbled("an engine that cannot sleep was told to")
    if isinstance(order, Sleep):
        engine.sleep()
    else:
        engine.wake()


def _end_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that comes about."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            score = Path("/proc/self/oom_score_adj")
            score.write_text(str(min(1000, int(score.read_text()) + OOM_BIAS)))
    if os.getppid() != parent:
        os._exit(0)


def _take_streams() -> Channel:
    """Keep the two pipes to ourselves: the engine finds an empty input, and stderr for output."""
    channel = Channel(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return channel


def _leave(status: int) -> NoReturn:
    # Threads and exit handlers of an engine must not hold up the end.
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def main(parent: int) -> NoReturn:
    """Live as the child of `parent` until told to stop."""
    _end_with(parent)
    channel = _take_streams()
    faulthandler.enable()
    if isinstance(sys.stdout, TextIOWrapper):
        # A crash must not take the last lines with it.
        sys.stdout.reconfigure(line_buffering=True)
    # The terminal and init systems signal every process of a service; only the supervisor decides.
    # A handler that does nothing, not SIG_IGN, which programs started by an engine would inherit.
    for quiet in (signal.SIGINT, signal.SIGTERM):
        signal.signal(quiet, lambda _signum, _frame: None)
    desk = Desk(channel)
    order = channel.receive()
    if not isinstance(order, Load):
        _leave(2)
    threading.Thread(target=desk.read, name="reader", daemon=True).start()
    try:
        brought = bring_up(order)
    except BaseException as error:
        traceback.print_exc()
        channel.send(SetupFailed(detail=products.plain(f"{type(error).__name__}: {error}")))
        _leave(1)
    channel.send(brought.ready)
    try:
        serve(brought, desk)
    except SystemExit as leaving:
        _leave(leaving.code if isinstance(leaving.code, int) else 1)
    except BaseException:
        traceback.print_exc()
        _leave(1)
    _leave(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
