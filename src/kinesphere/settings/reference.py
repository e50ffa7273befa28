"""The page `docs/settings.md`, written from the settings themselves."""

import sys
from typing import Final

from kinesphere.settings.loading import (
    CLIENT_VARIABLE,
    CONFIG_FILE,
    CONFIG_VARIABLE,
    KEY_VARIABLES,
    PREFIX,
)
from kinesphere.settings.model import Settings, allowed

_HEAD: Final = f"""\
# Settings

<!-- Written by kinesphere.settings.reference from the settings; a test holds the two together. -->

A setting comes from the first of these that names it: an argument on the command line, an
environment variable, the file, the default. The variable is the name in capitals after `{PREFIX}`.
The file is `{CONFIG_FILE}` in the working directory, or the one that `{CONFIG_VARIABLE}` names.
Settings are read once, at the start. An empty variable counts as not set.

A name that is no setting is refused, in the file as in the environment, with the nearest right
one; the client's `{CLIENT_VARIABLE}`, `{KEY_VARIABLES[0]}` and `{KEY_VARIABLES[1]}` are
passed over. In Kubernetes, a Service called `kinesphere` puts variables such as
`KINESPHERE_PORT=tcp://…` into every pod of its namespace: set `enableServiceLinks: false`.
"""

_EXAMPLE: Final = """\
## Example

```toml
# kinesphere.toml
port = 8080
data = "/var/lib/kinesphere"
public_url = "https://motion.example.com"
models = ["choreo"]
max_queue = 500
retention_days = 7
log_level = "warning"

[replicas]
choreo = 2
```

The same replicas in the environment: `KINESPHERE_REPLICAS=choreo=2`.
"""


def _shown(name: str) -> str:
    field = Settings.model_fields[name]
    if isinstance(field.json_schema_extra, dict) and "shown" in field.json_schema_extra:
        return str(field.json_schema_extra["shown"])
    match field.default:
        case None:
            return "unset"
        case bool():
            return f"`{str(field.default).lower()}`"
        case float():
            return f"`{field.default:g}`"
        case _:
            return f"`{field.default}`"


def _section(name: str) -> str:
    field = Settings.model_fields[name]
    return (
        f"### `{name}`\n\n{field.description}\n\n"
        f"- Variable: `{PREFIX}{name.upper()}`\n"
        f"- Default: {_shown(name)}\n"
        f"- Allowed: {allowed(name)}\n"
    )


def reference() -> str:
    """The whole page, in Markdown."""
    sections = "\n".join(_section(name) for name in Settings.model_fields)
    return f"{_HEAD}\n{_EXAMPLE}\n## All settings\n\n{sections}"


if __name__ == "__main__":
    sys.stdout.write(reference())
