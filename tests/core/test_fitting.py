"""Fitting: the best profile that fits, as many jobs at once as there is room for, and why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.core.fitting import CONTEXT_BYTES, Fitted, Footprint, Profile, Unfit, fit, margin

GB = 10**9
sizes = st.integers(0, 100 * GB)
shares = st.integers(0, 8 * GB)
profiles = st.lists(
    st.builds(
        Profile,
        name=st.sampled_from("abcdefgh"),
        device_bytes=sizes,
        per_job_bytes=shares,
        host_bytes=sizes,
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda p: p.name,
)
FULL = Profile("full", 26 * GB, 2 * GB, host_bytes=4 * GB)
LEAN = Profile("lean", 10 * GB, 1 * GB, host_bytes=20 * GB)


@given(profiles, sizes, sizes, st.integers(1, 64))
def test_what_is_fitted_fits_and_nothing_better_does(
    offered: list[Profile], device: int, host: int, wanted: int
) -> None:
    found = fit(offered, device, host, wanted)
    if isinstance(found, Unfit):
        assert list(found.reasons) == [p.name for p in offered]
        assert all(found.reasons.values())
        better = offered
    else:
        taken, limit = found.profile, found.batch_limit
        better = offered[: offered.index(taken)]
        assert 1 <= limit <= wanted
        assert taken.on_device(limit) + margin(taken) <= device
        assert taken.host_bytes <= host
        if limit < wanted:
            assert taken.on_device(limit + 1) + margin(taken) > device
    for profile in better:
        assert profile.device_bytes + margin(profile) > device or profile.host_bytes > host


@given(profiles, sizes, sizes, sizes, st.integers(1, 64))
def test_more_memory_never_gives_a_lesser_profile_or_batch(
    offered: list[Profile], device: int, more: int, host: int, wanted: int
) -> None:
    before = fit(offered, device, host, wanted)
    after = fit(offered, device + more, host, wanted)
    if isinstance(before, Unfit):
        return
    assert isinstance(after, Fitted)
    assert offered.index(after.profile) <= offered.index(before.profile)
    if after.profile == before.profile:
        assert after.batch_limit >= before.batch_limit


@given(profiles, sizes, st.integers(1, 64))
def test_one_shared_memory_holds_both_needs(offered: list[Profile], free: int, wanted: int) -> None:
    found = fit(offered, free, free, wanted, unified=True)
    if isinstance(found, Fitted):
        profile = found.profile
        used = profile.on_device(found.batch_limit) + margin(profile) + profile.host_bytes
        assert used <= free


def test_why_nothing_fits_is_said_of_each() -> None:
    found = fit([FULL, LEAN], 24 * GB, 16 * GB, 4)
    assert isinstance(found, Unfit)
    assert found.reasons == {
        "full": "needs 27.8 GB on the device, 24.0 GB free",
        "lean": "needs 20.0 GB of main memory, 16.0 GB free",
    }
    assert str(found).startswith("full: needs 27.8 GB")


def test_a_device_that_tells_nothing_refuses_nothing() -> None:
    found = fit([FULL, LEAN], None, None, 4)
    assert found == Fitted(FULL, 4)


def test_what_was_measured_overrides_what_was_declared() -> None:
    seen = {"full": Footprint(18 * GB, host_bytes=2 * GB)}
    found = fit([FULL, LEAN], 24 * GB, 3 * GB, 8, measured=seen)
    assert isinstance(found, Fitted)
    assert (found.profile.name, found.profile.source) == ("full", "measured")
    assert found.batch_limit == 1 + (24 * GB - 18 * GB - CONTEXT_BYTES) // (2 * GB)


def test_a_profile_that_proved_larger_gives_way() -> None:
    seen = {"full": Footprint(47 * GB)}
    found = fit([FULL, LEAN], 40 * GB, 64 * GB, 1, measured=seen)
    assert found == Fitted(LEAN, 1)


def test_the_share_of_a_job_is_learned_from_larger_batches() -> None:
    seen = Footprint(18 * GB).seen(3, 19 * GB)
    assert seen.per_job_bytes is None, "nothing to compare with yet"
    seen = seen.seen(1, 12 * GB).seen(3, 14 * GB)
    assert (seen.device_bytes, seen.per_job_bytes) == (18 * GB, 1 * GB)
    assert seen.seen(5, 12 * GB).per_job_bytes == 1 * GB, "short jobs promise nothing"
    assert seen.seen(2, 15 * GB).per_job_bytes == 3 * GB


def test_a_profile_off_the_device_needs_no_margin_there() -> None:
    found = fit([Profile("host", 0, host_bytes=GB)], 0, 2 * GB, 3)
    assert isinstance(found, Fitted)
    assert found.batch_limit == 3


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="less than no memory"):
        Profile("x", -1)
    with pytest.raises(ValueError, match="a batch of 0"):
        fit([FULL], None, None, 0)
