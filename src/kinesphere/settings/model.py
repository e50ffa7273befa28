"""What can be set: names, units, bounds, defaults and their reasons."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr

from kinesphere.settings.cluster import ClusterSettings
from kinesphere.settings.devices import DeviceSettings
from kinesphere.settings.hunyuan3d import Hunyuan3dSettings
from kinesphere.settings.hymotion import HyMotionSettings
from kinesphere.settings.identity import IdentitySettings
from kinesphere.settings.interpreters import InterpreterSettings
from kinesphere.settings.keeping import KeepingSettings
from kinesphere.settings.limits import LimitSettings
from kinesphere.settings.meshes import MeshSettings
from kinesphere.settings.parsing import counts as _counts
from kinesphere.settings.parsing import in_words as _allowed
from kinesphere.settings.parsing import names as _names
from kinesphere.settings.parsing import read_only as _read_only
from kinesphere.settings.routing import RoutingSettings
from kinesphere.settings.scaling import ScalingSettings
from kinesphere.settings.simulated import SimulatedSettings
from kinesphere.settings.tracing import TracingSettings
from kinesphere.settings.webhooks import TellingSettings


def _user_folder() -> Path:
    from platformdirs import user_data_path  # noqa: PLC0415 - 17 ms that most starts do not need

    return user_data_path("kinesphere", appauthor=False)


def _origin(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an address that begins with http:// or https://")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("has a query, a fragment or a password")
    return url.rstrip("/")


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _days(value: float | None) -> float | None:
    return value or None


Count = Annotated[int, Field(ge=0, le=64)]
PoolName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Settings(
    ClusterSettings,
    Hunyuan3dSettings,
    DeviceSettings,
    HyMotionSettings,
    IdentitySettings,
    InterpreterSettings,
    KeepingSettings,
    LimitSettings,
    MeshSettings,
    RoutingSettings,
    ScalingSettings,
    SimulatedSettings,
    TellingSettings,
    TracingSettings,
):
    """Everything that can be set. Each description has the unit and the reason of the default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    port: int = Field(
        default=8000,
        ge=0,
        le=65_535,
        description="TCP port to listen on; 0 takes any free one. 8000 is the habit of Python "
        "servers.",
    )
    public_url: Annotated[str | None, AfterValidator(_origin)] = Field(
        default=None,
        description="Address under which clients reach the server, a path prefix included; links "
        "begin with it. Unset, they are relative to the host that a request names, which is right "
        "without a proxy.",
        json_schema_extra=_allowed("an http:// or https:// address without query or password"),
    )
    data: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=_user_folder,
        description="Folder of the ledger, the artifacts and the link secret; made when missing. "
        "The user's data folder survives an upgrade of the package and needs no root.",
        json_schema_extra=_allowed("a path") | {"shown": "the user's data folder"},
    )
    models: Annotated[tuple[str, ...] | None, BeforeValidator(_names)] = Field(
        default=None,
        min_length=1,
        description="Models to serve, by name. Unset, all that are installed.",
        json_schema_extra=_allowed("a list of names; in the environment choreo,relief or JSON"),
    )
    replicas: Annotated[
        Mapping[PoolName, Count], BeforeValidator(_counts), AfterValidator(_read_only)
    ] = Field(
        default_factory=lambda: MappingProxyType({}),
        description="Replicas of each pool, each a process. A pool that is not named has 1: enough "
        "to answer, and more would share the same device.",
        json_schema_extra=_allowed(
            "0 to 64 by pool name; in the environment choreo=2,relief=1 or JSON"
        )
        | {"shown": "1 each"},
    )
    threads_per_replica: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Threads that numeric libraries may use in one replica. 1, because replicas, "
        "not threads, are what scales, and threads beyond the cores slow each other.",
    )
    lease_seconds: float = Field(
        default=9.0,
        ge=1.0,
        le=3_600.0,
        description="Seconds that a replica holds a job without renewing. 9, so that a job is "
        "running again within 15 s of the loss of its replica; shorter mistakes a pause for a "
        "death.",
    )
    reap_seconds: float = Field(
        default=1.0,
        ge=0.05,
        le=60.0,
        description="Seconds between two looks for lapsed leases and missed deadlines. 1 adds "
        "little to the lease, and the look is one indexed query.",
    )
    poll_seconds: float = Field(
        default=2.0,
        ge=0.05,
        le=60.0,
        description="Seconds after which an idle replica looks for work by itself. Hints wake it "
        "sooner; 2 bounds what a lost hint costs.",
    )
    cancel_grace_seconds: float = Field(
        default=5.0,
        ge=0.0,
        le=600.0,
        description="Seconds that an engine has to obey a cancellation before its process is "
        "killed. 5 is less than loading most models again takes.",
    )
    drain_seconds: float = Field(
        default=30.0,
        ge=0.0,
        le=3_600.0,
        description="Seconds that running jobs have to finish when the server stops; the rest go "
        "back to the queue. 30 is what Kubernetes grants before it kills.",
    )
    max_queue: int = Field(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="Jobs that may wait in one pool; beyond it a request is refused with "
        "Retry-After. 10,000 jobs of a second are hours on one replica.",
    )
    max_wait_seconds: float | None = Field(
        default=None,
        gt=0.0,
        le=604_800.0,
        description="Seconds that a new job may have to wait until it begins; beyond it a request "
        "is refused with Retry-After. Unset, any: who minds gives a deadline.",
        json_schema_extra=_allowed("more than 0, to 604,800"),
    )
    sync_wait_seconds: float = Field(
        default=120.0,
        ge=0.0,
        le=3_600.0,
        description="Longest time in seconds that a request may wait for its result. 120, because "
        "proxies give up on longer ones.",
    )
    body_limit_bytes: int = Field(
        default=1_048_576,
        ge=1_024,
        le=67_108_864,
        description="Largest JSON body in bytes. 1 MiB is a thousand times a long prompt.",
    )
    picture_limit_bytes: int = Field(
        default=20_971_520,
        ge=1_024,
        le=268_435_456,
        description="Largest picture or file in bytes, uploaded or fetched. 20 MiB is a large "
        "photograph.",
    )
    picture_limit_pixels: int = Field(
        default=50_000_000,
        ge=1_024,
        le=500_000_000,
        description="Most pixels of a picture, looked at before it is decoded. 50 million is what "
        "large cameras make, and 200 MB when decoded.",
    )
    fetch_seconds: float = Field(
        default=15.0,
        ge=0.1,
        le=300.0,
        description="Seconds in which an image_url must have been fetched, redirects included.",
    )
    fetch_allow: Annotated[frozenset[str], BeforeValidator(_names)] = Field(
        default=frozenset(),
        description="Hosts that an image_url may name though their addresses are not public, each "
        "as host:port. Empty, so that nobody reaches our own network through us.",
        json_schema_extra=_allowed("a list such as store.internal:9000; in the environment a,b")
        | {"shown": "none"},
    )
    link_seconds: float = Field(
        default=3_600.0,
        ge=1.0,
        le=604_800.0,
        description="Seconds that a signed download link lives. An hour is time to download, and "
        "short for a link that leaks; a week is the most that S3 signs for.",
    )
    link_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Key that signs download links. Unset, a random one is kept in secret.key in "
        "the data folder; set it where several servers share links.",
        json_schema_extra=_allowed("at least 32 characters"),
    )
    retention_days: Annotated[float | None, AfterValidator(_days)] = Field(
        default=30.0,
        ge=0.0,
        le=36_500.0,
        description="Days after which an ended job and its artifacts are deleted; 0 keeps them "
        "for ever. 30, so that a disk does not fill unnoticed.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Least severe level that is logged. At info, a line for each thing that "
        "happens to a job.",
        json_schema_extra=_allowed("debug, info, warning, error"),
    )
    log_format: Literal["json", "console"] = Field(
        default="json",
        description="json: one object a line, for machines. console: coloured lines, for people.",
        json_schema_extra=_allowed("json, console"),
    )
    prompt_log: bool = Field(
        default=False,
        description="Whether the text of prompts is logged. Off, because prompts are the users'; "
        "failed jobs are found by their keywords all the same.",
        json_schema_extra=_allowed("true, false"),
    )

    def replicas_of(self, pool: str) -> int:
        """How many replicas `pool` has."""
        return self.replicas.get(pool, 1)


def allowed(name: str) -> str:
    """What setting `name` may be, in words."""
    field = Settings.model_fields[name]
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["allowed"])
    low = next(bound.ge for bound in field.metadata if hasattr(bound, "ge"))
    high = next(bound.le for bound in field.metadata if hasattr(bound, "le"))
    return f"{low:,g} to {high:,.15g}"
