"""What asks for the same, and what sharing a run changes."""

from dataclasses import replace

import pytest

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import (
    ArtifactRef,
    Cancel,
    Claim,
    EventKind,
    Fail,
    Finish,
    Job,
    Json,
    Revive,
    State,
)
from kinesphere.core.sharing import (
    accepted,
    answers,
    content_of,
    freed,
    lent,
    own_bytes,
    revived,
    settled,
)
from kinesphere.core.transitions import decide
from tests.core.jobs import NOW, new_job

MOTION: dict[str, Json] = {"prompt": "wave", "duration": 2.0, "seed": 1, "format": "bvh"}
MESH: dict[str, Json] = {
    "texture": True,
    "faces": None,
    "format": "glb",
    "seed": 1,
    "picture": {"media_type": "image/png", "sha256": "aa"},
}


def content(share: str = "everyone", request: dict[str, Json] | None = None, **fields: str) -> str:
    job = new_job(request=MOTION if request is None else request, **fields)
    return content_of(job, share)  # type: ignore[arg-type]  # a name of the test's table


def file(job: str, name: str = "a", size: int = 10) -> ArtifactRef:
    return ArtifactRef(f"{job}/1/{name}", name, "text/plain", size, "0" * 64)


@pytest.mark.parametrize(
    "request_",
    [
        MOTION | {"prompt": "  WAVE "},
        MOTION | {"prompt": "ｗａｖｅ"},
        dict(reversed(MOTION.items())),
    ],
)
def test_equal_requests_have_one_content(request_: dict[str, Json]) -> None:
    assert content(request=request_) == content()
    assert len(content()) == 64


@pytest.mark.parametrize(
    "other",
    [
        content(request=MOTION | {"prompt": "bow"}),
        content(request=MOTION | {"duration": 2.5}),
        content(request=MOTION | {"seed": 2}),
        content(request=MOTION | {"format": "glb"}),
        content(request=MOTION | {"seed_drawn": True}),
        content(model="other"),
        content(model_version="2"),
        content(task="mesh"),
        content("user"),
    ],
)
def test_other_requests_have_another(other: str) -> None:
    assert other != content()


def test_a_seed_that_nobody_chose_is_any_seed() -> None:
    drawn = [content(request=MOTION | {"seed": seed, "seed_drawn": True}) for seed in (1, 2)]
    assert drawn[0] == drawn[1]


def test_pictures_are_told_by_what_they_hold() -> None:
    facts = MESH["picture"]
    assert isinstance(facts, dict)
    same = MESH | {"picture": facts | {"width": 5}}
    assert content(request=same) == content(request=MESH)
    masked = MESH | {"mask": {"sha256": "bb"}}
    assert content(request=masked) != content(request=MESH)
    assert content(request=MESH | {"picture": {"sha256": "bb"}}) != content(request=MESH)


def test_who_may_share_is_a_setting() -> None:
    assert content("off") == ""
    assert content("user", user="ann") != content("user", user="bob")
    assert content("everyone", user="ann") == content("everyone", user="bob")


def led(**fields: object) -> tuple[Job, Job]:
    """A claimed leader and one who joined it."""
    leader = new_job(id="L", content="c", pools=("a", "b"))
    ((follower, _), (leader, _)) = accepted(
        new_job(id="M", content="c", pools=("a", "b"), **fields), leader, NOW
    )
    return decide(leader, Claim("w", NOW + 9), NOW)[0], follower


def test_a_follower_mirrors_each_stage() -> None:
    leader, follower = led()
    after, events = decide(leader, Finish(1, (file("L"),), {"n": 1}), NOW + 1)
    (_, (mirror, told)) = settled(leader, after, events, [follower], NOW + 1)
    assert (mirror.stage, mirror.artifacts, mirror.notes) == (1, (file("L"),), {"n": 1})
    assert [event.kind for event in told] == [EventKind.STAGE_FINISHED]
    assert told[0].data["token"] == 0


def test_a_retry_concerns_nobody_else() -> None:
    leader, follower = led()
    after, events = decide(leader, Fail(1, Failure("ENGINE_CRASHED", "gone")), NOW)
    assert settled(leader, after, events, [follower], NOW) == ((after, events),)


def test_a_token_of_an_heir_is_above_any_that_it_had() -> None:
    leader, follower = led(token=5)
    after, events = decide(leader, Cancel(), NOW)
    ((moved, _), (heir, told)) = settled(leader, after, events, [follower], NOW)
    assert heir.token == 6
    assert moved.moved is not None
    assert (moved.moved.token, told[0].data["token"]) == (6, 6)


def test_a_late_follower_did_not_start_before_it_came() -> None:
    leader, follower = led(created_at=NOW + 4, ready_at=NOW + 4)
    after, events = decide(leader, Cancel(), NOW + 5)
    (_, (heir, _)) = settled(leader, after, events, [follower], NOW + 5)
    assert heir.started_at == NOW + 4


def test_who_answers_for_a_content() -> None:
    leader, follower = led()
    assert answers(None, leader) is True
    assert answers(None, follower) is None
    assert answers(leader, leader) is None
    done = replace(leader, state=State.SUCCEEDED)
    assert answers(leader, done) is None
    assert answers(None, done) is True
    assert answers(follower, replace(follower, state=State.SUCCEEDED, leader=None)) is None
    for state in (State.FAILED, State.CANCELLED, State.EXPIRED):
        assert answers(leader, replace(leader, state=state)) is False
    assert answers(follower, replace(follower, leader=None)) is True
    assert answers(None, new_job()) is None


def test_a_revival_without_anybody_in_flight_changes_the_job_alone() -> None:
    failed = new_job(content="c", state=State.FAILED, finished_at=NOW)
    after, events = decide(failed, Revive(), NOW)
    made = new_job(id="X", content="c", state=State.SUCCEEDED)
    assert revived(after, events, None) == revived(after, events, made) == ((after, events),)


def test_files_that_are_listed_stay() -> None:
    own, others = file("A", size=3), file("B", "b", size=4)
    job = new_job(id="A", artifacts=(own, others), inputs=(file("A", "p", 5),))
    assert lent(job) == frozenset({others.key})
    assert own_bytes(job) == 8
    first, second = freed([job, replace(job, id="C")], {own.key})
    assert (first.artifacts, second.artifacts) == ((others,), ())
