"""Right and wrong requests to every operation: no server error, nothing undocumented.

`benchmarks/fuzz.py` sends as many as one wants.
"""

from collections import Counter

import pytest
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup

from tests.http.fuzzing import attack, operations
from tests.servers import ServerProcess

REQUESTS = 15
"""To each operation in each mode: together some 800, in less than a minute."""


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_nothing_comes_back_that_is_not_documented(
    server: ServerProcess, mode: GenerationMode
) -> None:
    statuses: Counter[int] = Counter()
    wrong: dict[str, FailureGroup] = {}
    for number, operation in enumerate(operations(server.url)):
        try:
            statuses += attack(operation, mode, REQUESTS, number)
        except FailureGroup as found:
            wrong[operation.label] = found
    assert not wrong, "\n".join(f"{name}: {error}" for name, error in wrong.items())
    assert statuses.total() > 200
