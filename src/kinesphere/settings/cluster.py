"""Settings of what the processes of a cluster share."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from kinesphere.settings.parsing import in_words


def _database(url: SecretStr | None) -> SecretStr | None:
    if url is None:
        return None
    scheme = url.get_secret_value().partition(":")[0]
    if scheme not in ("postgresql", "postgresql+psycopg"):
        raise ValueError("is not an address that begins with postgresql://")
    return SecretStr("postgresql+psycopg" + url.get_secret_value().removeprefix(scheme))


def _redis(url: SecretStr | None) -> SecretStr | None:
    if url is None:
        return None
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ValueError("is not an address that begins with redis:// or rediss://")
    return url


def _broker(url: SecretStr | None) -> SecretStr | None:
    if url is None:
        return None
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("redis", "rediss", "amqp", "amqps") or not parts.hostname:
        raise ValueError(
            "is not an address that begins with redis://, rediss://, amqp:// or amqps://"
        )
    return url


def _bucket(url: str | None) -> str | None:
    if url is not None and not url.startswith("s3://"):
        raise ValueError("is not an address that begins with s3://bucket")
    return url


class ClusterSettings(BaseModel):
    """What the processes of a cluster share."""

    database_url: Annotated[SecretStr | None, AfterValidator(_database)] = Field(
        default=None,
        description="PostgreSQL that has the ledger, for `kinesphere api`, `worker` and `sweeper`. "
        "Unset, the ledger is a file in the data folder.",
        json_schema_extra=in_words("postgresql://, with user and password where needed"),
    )
    redis_url: Annotated[SecretStr | None, AfterValidator(_redis)] = Field(
        default=None,
        description="Redis by which processes tell each other news, and in which they count "
        "requests together. Unset, a process counts and tells for itself. While Redis does not "
        "answer, news come from the ledger and each process counts for itself.",
        json_schema_extra=in_words("redis:// or rediss://, with user and password where needed"),
    )
    broker_url: Annotated[SecretStr | None, AfterValidator(_broker)] = Field(
        default=None,
        description="Celery's broker, which wakes workers: Redis, also the same one, or RabbitMQ. "
        "It may lose everything at any time: workers look by themselves every `poll_seconds`.",
        json_schema_extra=in_words("redis://, rediss://, amqp:// or amqps://"),
    )
    artifacts_url: Annotated[str | None, AfterValidator(_bucket)] = Field(
        default=None,
        description="S3 store of the artifacts. The access key comes from AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or from the machine's own identity. Unset, artifacts are files in "
        "the data folder.",
        json_schema_extra=in_words("s3://bucket/prefix?endpoint=https://...&region=..."),
    )
    cdn_url: Annotated[str | None, Field(pattern=r"^https?://[^?#]+$")] = Field(
        default=None,
        description="Address under which a content delivery network has the artifact store; links "
        "lead there, signed with `cdn_secret`. Unset, links lead to the store, presigned.",
        json_schema_extra=in_words("an http:// or https:// address without query"),
    )
    cdn_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Key that signs links under `cdn_url`, in the form that nginx's secure_link "
        "checks.",
        json_schema_extra=in_words("at least 32 characters"),
    )
    probe_host: str = Field(
        default="127.0.0.1",
        description="Address on which a worker or a sweeper answers `/health`, `/ready` and "
        "`/metrics`, where it is given a port for them. Loopback, because they ask nobody who he "
        "is; in a pod, 0.0.0.0.",
        json_schema_extra=in_words("an address of this machine"),
    )
    pod_deletion_cost: bool = Field(
        default=False,
        description="Whether a worker in a Kubernetes pod writes the cost of its end to its own "
        "pod, so that scale-in ends idle pods first. Off, because its service account must be "
        "allowed to patch pods; outside of a pod it does nothing.",
        json_schema_extra=in_words("true, false"),
    )
    pod_name: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
        description="Name of the pod that a worker runs in. Unset, the host's name, which it is "
        "unless the pod has the network of its node.",
        json_schema_extra=in_words("a pod's name"),
    )
