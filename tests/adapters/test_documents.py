"""A job as text, also as a later release writes it."""

import json

from kinesphere.adapters.documents import decode_job, encode_job
from tests.clock import VirtualClock
from tests.contracts.ledger import Jobs


def test_a_field_of_a_later_release_is_passed_over() -> None:
    job = Jobs(VirtualClock())()
    document = json.loads(encode_job(job)) | {"invented": {"later": True}}
    assert decode_job(json.dumps(document)) == job
