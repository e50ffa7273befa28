"""Where the client's key comes from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "KINESPHERE_API_KEY"
FILE_VARIABLE: Final = "KINESPHERE_API_KEY_FILE"


def own_key(given: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The key or token to send, or None: as given, else of the environment, else of its file.

    Raises:
        ValueError: It is not one that can be sent; it is not shown.
        OSError: The file cannot be read.
    """
    key = given
    if key is None:
        key = environ.get(VARIABLE)
        if not key and environ.get(FILE_VARIABLE):
            key = Path(environ[FILE_VARIABLE]).expanduser().read_text("utf-8").strip()
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the API key has characters that none has")
    return key
