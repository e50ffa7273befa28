"""The page `docs/errors.md`, written from the table of failures."""

import sys
from collections.abc import Iterator
from typing import Final

from kinesphere.core.failures import KINDS
from kinesphere.http.errors import status

_HEAD: Final = """\
# Errors

<!-- Written by kinesphere.http.reference from the code; a test holds the two together. -->

Every error is `application/problem+json` (RFC 9457):

```json
{
  "type": "urn:kinesphere:error:PROMPT_TOO_LONG",
  "title": "The prompt has more words or characters than the model takes.",
  "status": 400,
  "detail": "The prompt has 31 words; this model takes at most 30 words or 60 CJK characters.",
  "instance": "/v1/motions",
  "error_code": "PROMPT_TOO_LONG",
  "fault": "caller",
  "retry": false,
  "request_id": "01KAZ6T3V9S2Q4W8E0R5Y7T1S3",
  "errors": [
    {
      "field": "prompt",
      "problem": "has 31 words",
      "allowed": "at most 30 words or 60 CJK characters"
    }
  ]
}
```

`fault` says who can mend it: the `caller`, the `engine` or the `platform`. `retry` says whether
the same request may succeed later; then `Retry-After` says when, where that is known. A failed
job carries the same codes in its `error`.

| code | status | fault | retry | meaning |
| --- | --- | --- | --- | --- |
"""

_TAIL: Final = """\
The platform itself tries an attempt that failed with a retryable code again: three attempts a
stage, after 1 s and 2 s. A
batch that crashed is run again one job at a time.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    return _HEAD + "".join(f"{row}\n" for row in _rows()) + "\n" + _TAIL


def _rows() -> Iterator[str]:
    for code in sorted(KINDS, key=lambda c: (status(c), c)):
        kind = KINDS[code]
        retry = "yes" if kind.retry else "no"
        yield f"| `{code}` | {status(code)} | {kind.fault.value} | {retry} | {kind.meaning} |"
    meaning = "The model ran out of GPU memory on this job; the size is the device's."
    yield f"| `OOM_GPU_24GB`, and so for other sizes | 503 | engine | yes | {meaning} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
