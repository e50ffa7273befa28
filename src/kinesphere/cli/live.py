"""`kinesphere live`: a motion, or a conversation, as it is played; to programs that speak VMC.

A stream that is cut is opened again, and goes on at its frame.
"""

import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kinesphere.cli.exits import Exit, leave
from kinesphere.cli.jobs import connected
from kinesphere.client import ApiError, ConnectionFailed, UnexpectedAnswer
from kinesphere.client.live import Cut, LiveStream, refused
from kinesphere.formats.frames import BadFrame, Frame
from kinesphere.formats.vmc import Performer

PORT: Final = 39539
"""Where receivers of the protocol listen."""

PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Seconds before each try to go on with a stream that was cut: half a minute, and no longer."""

_PASSING: Final = frozenset({None, 1006, 1011, 1012, 1013})
"""Codes of streams that may be had again: cut, an error, a server that stops or has too much."""

_SERVERS: Final = 500
"""Statuses from here on are the server's, and may pass."""

_EVEN: Final = 1e-3
"""Seconds by which equal times may differ."""


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
        film = _Film(job_id, prompts, played, receiver)
        tries = 0
        while True:
            before = film.frames
            try:
                with LiveStream(url, job_id) as stream:
                    film.follow(stream)
                return
            except BadFrame as error:
                raise UnexpectedAnswer(f"the server sent no frame: {error}") from None
            except (ConnectionFailed, ApiError) as error:
                if film.frames > before:
                    tries = 0
                # What has never begun is told at once, such as a wrong address.
                if tries == len(PAUSES) or not film.frames or not _passes(error):
                    raise
                _tell(f"{error}; trying again in {PAUSES[tries]:g} s")
                time.sleep(PAUSES[tries])
                tries += 1


def _passes(error: ConnectionFailed | ApiError) -> bool:
    """Whether trying again may help."""
    if isinstance(error, Cut):
        return error.code in _PASSING
    return isinstance(error, ConnectionFailed) or error.status >= _SERVERS


class _Film:
    """What is played, motion by motion, over as many streams as it takes."""

    def __init__(
        self, first: str, prompts: list[str], played: Played, receiver: "_Receiver | None"
    ) -> None:
        self.frames = 0
        self._jobs, self._prompts = [first], prompts
        self._played, self._receiver = played, receiver
        self._time = 0.0
        self._known: list[str] = []

    def follow(self, stream: LiveStream) -> None:
        """Pass frames on until the last motion has ended, from the frame where it was cut."""
        back = self._time if self.frames else None
        self._ask(stream, back)
        for message in stream:
            if isinstance(message, Frame):
                # The frames before it are those that a new stream begins with.
                if back is None or message.time >= back - _EVEN:
                    back = None
                    self._show(message)
                continue
            if back is not None and message["type"] == "motion" and message["to"] >= back - _EVEN:
                stream.say("seek", time=back)
                stream.say("play")
            if self._over(message):
                print(f"{self.frames} frames, {message['time']:.2f} s")
                return

    def _ask(self, stream: LiveStream, back: float | None) -> None:
        """Say what is to be played; nothing is until what is sought is there."""
        if back is not None:
            stream.say("pause")
        if self._played.speed != 1.0:
            stream.say("speed", value=self._played.speed)
        if self._played.loop:
            stream.say("loop", on=True)
        self._known = self._jobs[1:]
        for job in self._known:
            stream.say("next", job=job)
        for prompt in self._prompts:
            stream.say("next", prompt=prompt, duration=self._played.duration)

    def _over(self, message: dict[str, Any]) -> bool:
        """Take a message that is no frame; whether it is the last. Raises ApiError."""
        match message["type"]:
            case "skeleton" if self._receiver is not None:
                self._receiver.meet(message)
            case "motion":
                _tell(f"{message['job']}  {message['prompt']}")
            case "waiting":
                _tell(f"{message['job']}  {message['state']} {message['progress']:.0%}")
            case "accepted" if self._known:
                self._known.pop(0)
            case "accepted":
                self._jobs.append(message["job"])
                self._prompts.pop(0)
            case "problem":
                raise refused(message["problem"])
            case "ended":
                return not message["waiting"] and not self._prompts
        return False

    def _show(self, frame: Frame) -> None:
        self.frames += 1
        self._time = frame.time
        if self._receiver is not None:
            self._receiver.show(frame)


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
