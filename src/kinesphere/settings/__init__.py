"""The settings: frozen, read once, from arguments, KINESPHERE_* variables and a TOML file.

The first of these that names a setting wins: an argument of `load_settings` (the command line),
the environment, the file, the default. A name that is no setting is refused wherever it stands,
because a misspelt limit that is silently ignored is found out in production.

Built on pydantic alone: pydantic-settings costs another 80 to 280 ms of import.
"""

from kinesphere.settings.loading import Problem, SettingsError, load_settings
from kinesphere.settings.model import Settings, allowed

__all__ = ["Problem", "Settings", "SettingsError", "allowed", "load_settings"]
