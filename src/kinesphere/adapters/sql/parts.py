"""Long lists of values, cut to what one statement may have."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final, TypeVar

AT_ONCE: Final = 500
"""Values in one statement; databases limit how many it may have."""

Value = TypeVar("Value")


def parts(values: Collection[Value]) -> Iterator[Sequence[Value]]:
    """The values in parts that one statement may have."""
    ordered = list(values)
    for start in range(0, len(ordered), AT_ONCE):
        yield ordered[start : start + AT_ONCE]
