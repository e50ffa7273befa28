"""The receivers that the page on webhooks shows."""

import re
from pathlib import Path
from typing import Any

from kinesphere.adapters.clock import SystemClock
from kinesphere.core.webhooks import headers, shown
from tests.client.test_webhooks import BODY

PAGE = (Path(__file__).parents[1] / "docs" / "webhooks.md").read_text("utf-8")
KEY = b"k" * 32


def test_the_receivers_on_the_page_work() -> None:
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    signed = headers([KEY], "M-1", int(SystemClock().now()), BODY)
    number, event, job = names["received"](signed, BODY, shown(KEY))
    assert (number, event, job.state) == ("M-1", "job.succeeded", "succeeded")
    assert names["genuine"](signed, BODY, shown(KEY))
    assert not names["genuine"](signed, BODY + b" ", shown(KEY))
    assert not names["genuine"](signed | {"webhook-timestamp": "1"}, BODY, shown(KEY))
    old = headers([KEY], "M-1", 1, BODY)
    assert not names["genuine"](old, BODY, shown(KEY))
