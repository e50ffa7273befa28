"""What callers send, with descriptions and working examples for OpenAPI."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from kinesphere.core.identity import LONGEST_USER, is_user
from kinesphere.core.jobs import DEFAULT_PRIORITY
from kinesphere.core.requests import DEFAULT_DURATION, LARGEST_SEED, MeshAsk, MotionAsk

Prompt = Annotated[
    str,
    StringConstraints(max_length=100_000),
    Field(
        description="What the figure does, in the model's languages. At most 30 words or "
        "60 CJK characters unless the model says otherwise.",
        examples=["a tired man walks in a circle, then waves twice", "一个舞者旋转跳跃后单膝跪地"],
    ),
]
Duration = Annotated[
    float, Field(description="Length of the clip in seconds, within the model's limits.")
]
Seed = Annotated[
    int | None,
    Field(
        description=f"0 to {LARGEST_SEED}. The same request with the same seed gives the same "
        "file. Left out: one is drawn and told in the job."
    ),
]

Webhook = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=2_000)] | None,
    Field(
        description="Address on the public internet that is posted to, signed, when the job has "
        "ended.",
        examples=["https://example.com/hooks/kinesphere"],
    ),
]


def _user(name: str) -> str:
    if not is_user(name):
        raise ValueError("1 to 100 visible characters without spaces")
    return name


Cache = Annotated[
    Literal["yes", "no"],
    Field(
        description="`no`: make it anew, and let nobody else have it. Otherwise a result that is "
        "there is served at once (`cached`), and equal requests share one run (`joined`)."
    ),
]


class MotionRequest(BaseModel):
    """A motion to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"prompt": "a tired man walks in a circle, then waves twice", "duration": 6},
                {"prompt": "挥手", "duration": 2, "seed": 1, "format": "bvh"},
            ]
        },
    )

    prompt: Prompt
    duration: Duration = DEFAULT_DURATION
    seed: Seed = None
    format: str | None = Field(
        None, description="File format, one of the model's `formats`. Left out: its first."
    )
    model: str | None = Field(
        None, description="Name of a model for motions. Left out: the best that fits."
    )
    priority: int = Field(DEFAULT_PRIORITY, description="0 to 9; 9 is served first.")
    deadline: AwareDatetime | None = Field(
        None, description="RFC 3339 time after which a job that still waits expires."
    )
    webhook: Webhook = None
    cache: Cache = "yes"

    def ask(self) -> MotionAsk:
        """The request in the platform's words."""
        return MotionAsk(
            prompt=self.prompt,
            duration=self.duration,
            seed=self.seed,
            format=self.format,
            model=self.model,
            priority=self.priority,
            deadline=self.deadline.timestamp() if self.deadline else None,
            webhook=self.webhook,
            cache=self.cache == "yes",
        )


class GenerateRequest(BaseModel):
    """The short, synchronous form."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"prompt": "挥手", "duration": 2, "seed": 1}]},
    )

    prompt: Prompt
    duration: Duration = DEFAULT_DURATION
    seed: Seed = None


class MeshFields(BaseModel):
    """How a mesh is to be made."""

    model_config = ConfigDict(extra="forbid")

    texture: bool = Field(True, description="Whether to texture it; without, the shape is all.")
    faces: int | None = Field(
        None, description="Triangles, met within 5 %. Left out: as the model sees fit."
    )
    seed: Seed = None
    format: str | None = Field(
        None, description="File format, one of the model's `formats`. Left out: its first."
    )
    model: str | None = Field(
        None, description="Name of a model for meshes. Left out: the best that fits."
    )
    priority: int = Field(DEFAULT_PRIORITY, description="0 to 9; 9 is served first.")
    deadline: AwareDatetime | None = Field(
        None, description="RFC 3339 time after which a job that still waits expires."
    )
    webhook: Webhook = None
    cache: Cache = "yes"

    def ask(self) -> MeshAsk:
        """The request in the platform's words."""
        return MeshAsk(
            texture=self.texture,
            faces=self.faces,
            seed=self.seed,
            format=self.format,
            model=self.model,
            priority=self.priority,
            deadline=self.deadline.timestamp() if self.deadline else None,
            webhook=self.webhook,
            cache=self.cache == "yes",
        )


ImageUrl = Annotated[
    str,
    StringConstraints(max_length=2_000),
    Field(
        description="Address of the picture, on the public internet.",
        examples=["https://example.com/cup.jpg"],
    ),
]


class MeshRequest(MeshFields):
    """A mesh of a picture that is fetched."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"image_url": "https://example.com/cup.jpg"}]},
    )

    image_url: ImageUrl


class TaskRequest(BaseModel):
    """The short, queued form."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"image_url": "https://example.com/cup.jpg", "user_id": "u-17", "priority": 5}
            ]
        },
    )

    image_url: ImageUrl
    user_id: Annotated[str, AfterValidator(_user)] | None = Field(
        None,
        min_length=1,
        max_length=LONGEST_USER,
        description="On whose behalf; each has a fair share. With authentication, another than "
        "yourself needs the scope `operate`.",
    )
    priority: int = Field(DEFAULT_PRIORITY, description="0 to 9; 9 is served first.")

    def ask(self) -> MeshAsk:
        """The request in the platform's words."""
        return MeshAsk(priority=self.priority)


class ValidationRequest(BaseModel):
    """A job whose result is to be judged."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"job_id": "01KAZ6T3V9S2Q4W8E0R5Y7T1S3"}]},
    )

    job_id: Annotated[str, StringConstraints(max_length=64)]
