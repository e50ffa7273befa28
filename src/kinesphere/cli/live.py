"""`kinesphere live`: a motion, or a conversation, as it is played; to programs that speak VMC."""

import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kinesphere.cli.exits import Exit, leave
from kinesphere.cli.jobs import connected
from kinesphere.client import UnexpectedAnswer
from kinesphere.client.live import LiveStream, refused
from kinesphere.formats.frames import BadFrame, Frame
from kinesphere.formats.vmc import Performer

PORT: Final = 39539
"""Where receivers of the protocol listen."""


@dataclass(frozen=True, slots=True)
class Played:
    """What is played, and how: a job, then prompts; again and again; so many times as fast."""

    job_id: str | None
    prompts: Sequence[str]
    duration: float
    loop: bool
    speed: float


def run(played: Played, vmc: str | None, url: str | None) -> None:
    """Play until the end, or until Ctrl-C."""
    if played.job_id is None and not played.prompts:
        raise leave(Exit.USAGE, "nothing to play: give a job's id, or --say PROMPT")
    receiver = _Receiver(_address(vmc)) if vmc is not None else None
    with connected(url) as client:
        prompts, job_id = list(played.prompts), played.job_id
        if job_id is None:
            job_id = client.submit(prompts.pop(0), duration=played.duration).id
        with LiveStream(url, job_id) as stream:
            if played.speed != 1.0:
                stream.say("speed", value=played.speed)
            if played.loop:
                stream.say("loop", on=True)
            for prompt in prompts:
                stream.say("next", prompt=prompt, duration=played.duration)
            try:
                _follow(stream, receiver, len(prompts))
            except BadFrame as error:
                raise UnexpectedAnswer(f"the server sent no frame: {error}") from None


def _follow(stream: LiveStream, receiver: "_Receiver | None", wanted: int) -> None:
    """Pass frames on until the last motion has ended; `wanted` are still to be accepted."""
    frames = 0
    for message in stream:
        if isinstance(message, Frame):
            frames += 1
            if receiver is not None:
                receiver.show(message)
            continue
        match message["type"]:
            case "skeleton" if receiver is not None:
                receiver.meet(message)
            case "motion":
                _tell(f"{message['job']}  {message['prompt']}")
            case "waiting":
                _tell(f"{message['job']}  {message['state']} {message['progress']:.0%}")
            case "accepted":
                wanted -= 1
            case "problem":
                raise refused(message["problem"])
            case "ended" if not message["waiting"] and not wanted:
                print(f"{frames} frames, {message['time']:.2f} s")
                return


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if ":" in text else (text, "", str(PORT))
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise leave(Exit.USAGE, f"--vmc is {text!r}, not HOST or HOST:PORT")
    return host.strip("[]"), int(port)


class _Receiver:
    """A program that takes poses by the Virtual Motion Capture protocol."""

    def __init__(self, address: tuple[str, int]) -> None:
        try:
            found = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise leave(Exit.USAGE, f"--vmc: {address[0]}: {error}") from None
        self._socket = socket.socket(found[0], socket.SOCK_DGRAM)
        self._address = found[4]
        self._performer: Performer | None = None
        self._began = time.monotonic()

    def meet(self, skeleton: dict[str, Any]) -> None:
        """Learn whose poses follow."""
        offsets = [(x, y, z) for x, y, z in skeleton["offsets"]]
        self._performer = Performer(skeleton["names"], offsets)

    def show(self, frame: Frame) -> None:
        """Send a frame; nobody is known to listen."""
        if self._performer is None:
            return
        for datagram in self._performer.datagrams(frame, time.monotonic() - self._began):
            self._socket.sendto(datagram, self._address)
