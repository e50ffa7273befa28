"""The command line: `kinesphere`."""

import gc
from typing import Final

USUAL: Final = gc.get_threshold()
STARTING: Final = 50_000
"""New objects after which garbage is looked for during a start. Nearly all that is made then stays:
to look for it as often as usual, after some 700, makes imports a tenth slower."""


def main() -> None:
    """Run the command that the arguments name."""
    gc.set_threshold(STARTING)
    from kinesphere.cli.app import app

    app()
