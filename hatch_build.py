"""Refuses to make a wheel that lacks the studio by mistake."""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StudioHook(BuildHookInterface):
    """Looks whether the studio was built; it builds nothing itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stop a wheel without the studio. Whoever works in the checkout needs none."""
        del build_data
        page = Path(self.root, "src", "kinesphere", "studio", "index.html")
        if version == "editable" or page.exists() or os.environ.get("WITHOUT_STUDIO"):
            return
        raise SystemExit(
            "The studio, the page that the server shows at /, was not built. Run `make studio` "
            "first; or set WITHOUT_STUDIO=1 for a server that has the API alone."
        )
