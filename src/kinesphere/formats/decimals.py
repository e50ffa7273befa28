"""A matrix of numbers as decimal text, without a Python object a number."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from kinesphere.formats.clip import Floats

PLACES: Final = 6
LARGEST: Final = 1e7
"""Numbers have at most seven digits before the point."""


def _digits(places: int) -> NDArray[np.uint8]:
    """The numbers of up to so many digits, zeros before them: (10**places, places) letters."""
    powers = 10 ** np.arange(places)[::-1]
    digits = np.arange(10**places)[:, None] // powers % 10 + ord("0")
    return digits.astype(np.uint8)


def _words(*letters: NDArray[np.uint8] | bytes) -> NDArray[np.uint32]:
    """Four columns of letters as one word a row; bytes are the same in every row."""
    rows = max(len(column) for column in letters)
    columns = [
        np.tile(np.frombuffer(part, np.uint8), (rows, 1)) if isinstance(part, bytes) else part
        for part in letters
    ]
    return np.concatenate(columns, axis=1).view(np.uint32)[:, 0]


# A number is four words of four bytes. Zero bytes stand where nothing is to be written:
# "-123" "4567" ".012" "345 ".
_PADDED: Final = _digits(4)
_UNPADDED: Final = np.where(np.arange(10_000)[:, None] < [1000, 100, 10, 0], 0, _PADDED)
_LOW: Final = np.concatenate((_words(_UNPADDED), _words(_PADDED)))
_HIGH: Final = np.where(np.arange(1000) == 0, 0, _LOW[:1000])
_THOUSANDTHS: Final = _words(b".", _digits(3))
_MILLIONTHS: Final = _words(_digits(3), b" ")


def decimal_rows(values: Floats) -> bytes:
    """Each row on a line, six places after the point, blanks between.

    Several times as fast as one `%` format of the whole matrix: all numbers at once are looked
    up, four bytes at a time, and what is not to be written is cut out at the end.

    Args:
        values: (T, N) finite, of a size under 1e7.

    Raises:
        ValueError: A number is larger.
    """
    scaled = np.rint(np.abs(values) * 10.0**PLACES)
    # Both are whole numbers under 2**53, and their quotient is far enough from the next one.
    whole = np.floor(scaled / 10.0**PLACES)
    if values.size and whole.max() >= LARGEST:
        raise ValueError(f"{whole.max():g} has more than seven digits")
    part = (scaled - whole * 10.0**PLACES).astype(np.int32)
    whole = whole.astype(np.int32)
    high, thousandths = whole // 10_000, part // 1000
    words = np.empty((*values.shape, 4), dtype=np.uint32)
    words[..., 0] = _HIGH[high]
    words[..., 1] = _LOW[whole - 10_000 * high + 10_000 * (high > 0)]
    words[..., 2] = _THOUSANDTHS[thousandths]
    words[..., 3] = _MILLIONTHS[part - 1000 * thousandths]
    letters = words.view(np.uint8)
    letters[..., 0] = np.where((values < 0.0) & (scaled > 0.0), ord("-"), 0)
    letters[:, -1:, -1] = ord("\n")
    return letters.tobytes().translate(None, b"\0")
