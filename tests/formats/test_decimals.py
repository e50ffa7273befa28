"""Numbers as text: the same as `%.6f`, for every size and sign."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kinesphere.formats.decimals import decimal_rows

sizes = st.floats(-9_999_999.0, 9_999_999.0, allow_subnormal=True)


@given(st.lists(st.tuples(sizes, sizes), min_size=1, max_size=20))
@example([(0.0, -0.0), (1e-7, -1e-7), (0.9999996, -9.9999996), (9999.5, 10_000.0)])
@example([(123.000001, 1_234_567.000009), (-1.5, 1000.001), (5e-324, 99_999.999999)])
def test_numbers_read_as_they_were(rows: list[tuple[float, float]]) -> None:
    values = np.array(rows)
    text = decimal_rows(values)
    assert text.count(b"\n") == len(rows)
    for line, row in zip(text.decode().splitlines(), values, strict=True):
        words = line.split(" ")
        np.testing.assert_allclose([float(word) for word in words], row, rtol=1e-15, atol=5.1e-7)
        for word in words:
            whole, places = word.lstrip("-").split(".")
            assert len(places) == 6
            assert whole == str(int(whole))
            assert word != "-0.000000"


@pytest.mark.parametrize("value", [1e7, -1e7, 9_999_999.9999999, 1e300])
def test_numbers_of_more_digits_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="seven digits"):
        decimal_rows(np.array([[0.0, value]]))


def test_no_rows_are_no_text() -> None:
    assert decimal_rows(np.zeros((0, 3))) == b""
