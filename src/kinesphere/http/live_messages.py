"""What is said on a live stream: messages of clients, read strictly, and those of the server."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.core.live import FASTEST, SLOWEST, Playhead
from kinesphere.core.requests import DEFAULT_DURATION, LARGEST_SEED, MotionAsk
from kinesphere.formats import frames

if TYPE_CHECKING:
    from kinesphere.formats.clip import Skeleton

Mark = Annotated[str, msgspec.Meta(max_length=64)]
Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]


class Message(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, kw_only=True):
    """What a client says; `id` comes back with the answer."""

    id: Mark | None = None


class Play(Message, tag="play"):
    """Go on."""


class Pause(Message, tag="pause"):
    """Stop at the frame that was sent last."""


class Seek(Message, tag="seek"):
    """Show this time of the film, in seconds, and go on from there if it plays."""

    time: Seconds


class Speed(Message, tag="speed"):
    """Play so many times as fast."""

    value: Annotated[float, msgspec.Meta(ge=SLOWEST, le=FASTEST)]


class Loop(Message, tag="loop"):
    """Whether to begin again after the last frame."""

    on: bool


class Next(Message, tag="next"):
    """Let another motion follow: what a job has made or is making, or a prompt.

    `now` leaves out what is still to come of the film; else it follows its end.
    """

    job: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    prompt: Annotated[str, msgspec.Meta(max_length=10_000)] | None = None
    duration: Annotated[float, msgspec.Meta(ge=0.0, le=1e6)] = DEFAULT_DURATION
    seed: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SEED)] | None = None
    model: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    now: bool = False

    def ask(self) -> MotionAsk:
        """The prompt in the platform's words."""
        return MotionAsk(
            prompt=self.prompt or "", duration=self.duration, seed=self.seed, model=self.model
        )


Said = Play | Pause | Seek | Speed | Loop | Next
_DECODER: Final = msgspec.json.Decoder(Said)


def read(text: str) -> Said:
    """A client's message. Raises Rejected: MALFORMED_JSON, INVALID_REQUEST."""
    try:
        said: Said = _DECODER.decode(text)
    except msgspec.ValidationError as error:
        problem = str(error).lower()
        raise Rejected(
            "INVALID_REQUEST",
            "This is no message of a live stream.",
            (FieldError("", problem, "see the list of messages"),),
        ) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Rejected("MALFORMED_JSON", "The message is not valid JSON.") from None
    if isinstance(said, Next) and (said.job is None) == (said.prompt is None):
        fault = FieldError("next", "names a job and a prompt, or neither", "one of the two")
        raise Rejected("INVALID_REQUEST", "What is to follow is not said.", (fault,))
    return said


def mark_of(text: str) -> str | None:
    """The `id` of a message that may be wrong in all else."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    mark = found.get("id") if isinstance(found, dict) else None
    return mark if isinstance(mark, str) and len(mark) <= 64 else None


def hello(job_id: str, *, packed: bool) -> dict[str, Any]:
    """The first message."""
    return {
        "type": "hello",
        "version": frames.VERSION,
        "job": job_id,
        "frames": "binary" if packed else "json",
    }


def described(skeleton: "Skeleton", fps: float) -> dict[str, Any]:
    """The figure, told before its first frame."""
    return {
        "type": "skeleton",
        "fps": fps,
        "names": skeleton.names,
        "parents": skeleton.parents,
        "offsets": skeleton.offsets.round(6).tolist(),
        "height": round(float(skeleton.offsets[0, 1]), 6),
        "ends": {skeleton.names[joint]: tip for joint, tip in skeleton.ends.items()},
        "units": "metres",
        "axes": {"up": "+y", "forward": "+z", "left": "+x", "handedness": "right"},
        "rotations": "x y z w, relative to the parent; none in the T-pose",
    }


def standing(head: Playhead, fps: float, dropped: int, mark: str | None) -> dict[str, Any]:
    """Where a stream is, as the answer to a command."""
    return marked(
        {
            "type": "state",
            "playing": head.playing,
            "time": head.position / fps,
            "speed": head.speed,
            "loop": head.loop,
            "first": head.first / fps,
            "end": head.last / fps,
            "dropped": dropped,
        },
        mark,
    )


def marked(message: dict[str, Any], mark: str | None) -> dict[str, Any]:
    """A message with the id of what it answers."""
    return message if mark is None else {**message, "id": mark}
