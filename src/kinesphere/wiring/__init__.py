"""The only place that chooses adapters: settings in, a running platform out."""

from kinesphere.wiring.building import embedded
from kinesphere.wiring.parts import api_keys, upgrade_database
from kinesphere.wiring.platform import Platform
from kinesphere.wiring.roles import Incomplete, Role
from kinesphere.wiring.running import serve, work

__all__ = [
    "Incomplete",
    "Platform",
    "Role",
    "api_keys",
    "embedded",
    "serve",
    "upgrade_database",
    "work",
]
