"""The schema of the chart's values, made from the settings.

`settings` allows every setting that is neither secret nor the chart's own to set; a test holds the
file and this module together.
"""

from typing import Any, Final

from pydantic import SecretStr
from pydantic.json_schema import GenerateJsonSchema

from kinesphere.settings import Settings

OWNED: Final = frozenset(
    {
        "data",
        "drain_seconds",
        "host",
        "models",
        "pod_deletion_cost",
        "pod_name",
        "port",
        "probe_host",
        "replicas",
        "scaling_policy",
        "tier",
        "weights",
    }
)
"""Settings that the chart derives from its other values."""

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_NAME: Final[Schema] = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"}
_NO_NAME: Final[Schema] = {"type": "string", "pattern": "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$"}
_FLAG: Final[Schema] = {"type": "boolean"}
_TEXTS: Final[Schema] = {"type": "object", "additionalProperties": _TEXT}
_ANY_LIST: Final[Schema] = {"type": "array", "items": {"type": "object"}}
_SECONDS: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 86_400}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 10_000}
_QUANTITY: Final[Schema] = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(m|[kMGT]i?)?$"}
_CPU: Final[Schema] = {"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]+)?m?$"}


def _table(properties: Schema, *required: str) -> Schema:
    table: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
    return table | ({"required": list(required)} if required else {})


def _numbers(*names: str) -> Schema:
    return {name: {"type": "number", "minimum": 0} for name in names}


_EXACT: Final = _table({"cpu": _CPU, "memory": _QUANTITY}, "cpu", "memory")
_RESOURCES: Final = _table({"requests": _EXACT, "limits": _EXACT}, "requests", "limits")
_PLACE: Final[Schema] = {"nodeSelector": _TEXTS, "tolerations": _ANY_LIST}
_IMAGE: Final = _table(
    {
        "repository": {"type": "string", "minLength": 1},
        "tag": _TEXT,
        "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    }
)
_GPU: Final = _table(
    {
        "count": {"type": "integer", "minimum": 1, "maximum": 16},
        "class": {"type": "integer", "minimum": 1, "maximum": 1_000},
    },
    "count",
    "class",
)
_CRON: Final[Schema] = {
    "type": "array",
    "items": _table(
        {"timezone": _TEXT, "start": _TEXT, "end": _TEXT, "replicas": _COUNT},
        "timezone",
        "start",
        "end",
        "replicas",
    ),
}
_SCALING: Final = _table(
    {
        "policy": _TEXT,
        "minimum": _COUNT,
        "maximum": {"type": "integer", "minimum": 1, "maximum": 10_000},
        "sleepSeconds": _SECONDS,
        "utcOffsetHours": {"type": "number", "minimum": -24, "maximum": 24},
        "onDemand": _COUNT,
        "settings": {"type": "object"},
        "warm": _ANY_LIST,
        "cron": _CRON,
    }
    | _numbers("batchSeconds", "deviceMemory")
)
_TIER: Final = _table(
    {
        "spot": _FLAG,
        "minimum": _COUNT,
        "most": {"type": "integer", "minimum": 1},
        "gpu": _GPU,
        "resources": _EXACT,
        "drainSeconds": _SECONDS,
        "cron": _CRON,
    }
    | _numbers("price", "speed", "memory", "notice", "losses")
    | _PLACE,
    "price",
)
_POOL: Final = _table(
    {
        "enabled": _FLAG,
        "model": _NAME,
        "image": {"enum": ["cpu", "gpu"]},
        "gpu": _GPU,
        "resources": _EXACT,
        "weights": {"type": "array", "items": _NAME},
        "startSeconds": _SECONDS | {"minimum": 5},
        "drainSeconds": _SECONDS,
        "scaling": _SCALING,
        "tiers": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
            "additionalProperties": _TIER,
        },
    }
    | _PLACE,
    "enabled",
    "model",
    "image",
    "resources",
    "startSeconds",
    "drainSeconds",
)
_NAMESPACES: Final[Schema] = {"type": "array", "items": _NAME}


class _Quiet(GenerateJsonSchema):
    ignored_warning_kinds = {"non-serializable-default"}  # noqa: RUF012 - the base's own form


def settable() -> frozenset[str]:
    """Names of the settings that values may have."""
    secret = {
        name
        for name, field in Settings.model_fields.items()
        if SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))
    }
    return frozenset(Settings.model_fields) - secret - OWNED


def schema() -> Schema:
    """The whole schema, JSON Schema draft 7."""
    made = Settings.model_json_schema(schema_generator=_Quiet)
    names = sorted(settable())
    settings = _table({name: _bare(made["properties"][name]) for name in names})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart kinesphere",
        **_table(_top(settings) | {"global": {"type": "object"}}),
        "$defs": {
            name: {key: value for key, value in _bare(part).items() if key != "description"}
            for name, part in sorted(made.get("$defs", {}).items())
        },
    }


def _bare(part: Any) -> Any:
    """Without titles and defaults, and without our words for the page of settings."""
    if isinstance(part, list):
        return [_bare(each) for each in part]
    if not isinstance(part, dict):
        return part
    dropped = {"default", "allowed", "shown"}
    if isinstance(part.get("title"), str):
        dropped.add("title")
    return {name: _bare(each) for name, each in part.items() if name not in dropped}


def _top(settings: Schema) -> Schema:
    keys = (
        *("database_url", "redis_url", "broker_url", "link_secret", "webhook_secret"),
        *("webhook_secret_previous", "cdn_secret", "s3_access_key", "s3_secret_key"),
    )
    pull = {"enum": ["Always", "IfNotPresent", "Never"]}
    annotated = {"resources": _RESOURCES, "annotations": _TEXTS, **_PLACE}
    return {
        "nameOverride": _NO_NAME,
        "image": _table(
            {
                "cpu": _IMAGE,
                "gpu": _IMAGE,
                "pullPolicy": pull,
                "pullSecrets": {"type": "array", "items": _NAME},
            }
        ),
        "settings": settings,
        "secrets": _table(
            {
                "name": _NAME,
                "keys": _table(dict.fromkeys(keys, _TEXT)),
                "operator": _table({"name": _NAME, "key": _TEXT}),
            }
        ),
        "env": _ANY_LIST,
        "serviceAccount": _table({"annotations": _TEXTS}),
        "api": _table(annotated | _api()),
        "sweeper": _table(annotated | {"replicas": {"type": "integer", "minimum": 1}}),
        "scaling": _table(
            {
                "by": {"enum": ["keda", "hpa", "none"]},
                "pollingSeconds": {"type": "integer", "minimum": 1},
                "failures": {"type": "integer", "minimum": 1},
                "fallback": {"type": "integer", "minimum": 1},
            }
        ),
        "pools": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z0-9][a-z0-9.-]{0,61}[a-z0-9]$"},
            "additionalProperties": _POOL,
        },
        "weights": _table(
            {
                "manifests": _NAME,
                "cache": {"enum": ["node", "claim", "pod"]},
                "path": {"type": "string", "pattern": "^/"},
                "claim": _NO_NAME,
                "size": _QUANTITY,
            }
        ),
        "gpu": _table(_PLACE | {"runtimeClassName": _NO_NAME}),
        "spot": _table(_PLACE),
        "priorityClasses": _table(
            {"create": _FLAG, "serving": _NO_NAME, "replica": _NO_NAME, "spot": _NO_NAME}
        ),
        "ingress": _table(
            {
                "enabled": _FLAG,
                "className": _NAME,
                "host": _NAME,
                "tls": _table({"secretName": _NAME}, "secretName"),
                "annotations": _TEXTS,
            }
        ),
        "istio": _table(
            {
                "enabled": _FLAG,
                "host": _NAME,
                "tls": _table({"credentialName": _NAME}, "credentialName"),
                "gatewaySelector": _TEXTS,
            }
        ),
        "networkPolicy": _network(),
        "monitoring": _table(
            {
                "enabled": _FLAG,
                "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"},
                "labels": _TEXTS,
                "dashboardLabels": _TEXTS,
            }
        ),
        "trial": _table(
            {
                "enabled": _FLAG,
                "storage": _QUANTITY,
                "storageClassName": _NO_NAME,
                "images": _table({"postgres": _TEXT, "redis": _TEXT, "minio": _TEXT}),
            }
        ),
    }


def _api() -> Schema:
    least = {"type": "integer", "minimum": 1}
    percent = {"type": "integer", "minimum": 0, "maximum": 100}
    scaled = {"enabled": _FLAG, "minimum": least, "maximum": least, "cpuPercent": percent}
    other = _table({key: _IMAGE["properties"][key] for key in ("tag", "digest")})
    canary = {"enabled": _FLAG, "weight": percent, "replicas": least, "image": other}
    return {
        "replicas": least,
        "autoscaling": _table(scaled),
        "maxUnavailable": least,
        "noticeSeconds": _SECONDS | {"maximum": 60},
        "canary": _table(canary),
    }


def _network() -> Schema:
    port = {"type": "integer", "minimum": 1, "maximum": 65_535}
    names = dict.fromkeys(("proxies", "scaler", "monitoring"), _NAMESPACES)
    stores = {
        "cidrs": {"type": "array", "items": _TEXT},
        "ports": {"type": "array", "items": port},
    }
    return _table({"enabled": _FLAG, "from": _table(names), "stores": _table(stores), "web": _FLAG})
