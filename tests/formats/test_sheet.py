"""The contact sheet: a whole picture of every pose, in every case."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kinesphere.formats.clip import STANDARD, Clip, Skeleton
from kinesphere.formats.sheet import CELL, HEADER, MARGIN, STAMP, contact_sheet
from tests.formats.motions import standing, tumbling, turned, waving


def pixels(png: bytes) -> NDArray[np.int16]:
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(np.int16)


def blue(picture: NDArray[np.int16]) -> NDArray[np.bool_]:
    return np.asarray(picture[..., 2] - picture[..., 0] > 60)


def orange(picture: NDArray[np.int16]) -> NDArray[np.bool_]:
    return np.asarray(picture[..., 0] - picture[..., 2] > 60)


def cells(picture: NDArray[np.int16], rows: int = 1) -> list[NDArray[np.int16]]:
    """The poses of a sheet, by row and column, without their time stamps."""
    pitch = (picture.shape[0] - HEADER - MARGIN) // rows
    return [
        picture[top : top + pitch - STAMP, left : left + CELL[0]]
        for top in range(HEADER, picture.shape[0] - MARGIN, pitch)
        for left in range(MARGIN, picture.shape[1] - MARGIN, CELL[0])
    ]


def lying() -> Clip:
    clip = turned(standing(30), "Pelvis", "x", -90.0)
    return replace(clip, translation=np.tile([0.0, 0.12, 0.0], (30, 1)))


def travelling() -> Clip:
    clip = waving(30)
    return replace(clip, translation=clip.translation + np.linspace([0, 0, 0], [9, 0, 40], 30))


def leaping() -> Clip:
    clip = waving(30)
    return replace(clip, translation=clip.translation + np.linspace([0, 0, 0], [0, 3, 0], 30))


@pytest.mark.parametrize("clip", [waving(30), lying(), travelling(), leaping(), tumbling(30)])
def test_the_whole_figure_is_in_every_cell(clip: Clip) -> None:
    picture = pixels(contact_sheet(clip, columns=2, rows=2))
    poses = cells(picture, rows=2)
    assert len(poses) == 4
    for pose in poses:
        for limbs in (blue(pose), orange(pose)):
            assert limbs.sum() > 100
            border = [limbs[0], limbs[-1], limbs[:, 0], limbs[:, -1]]
            assert not np.concatenate(border).any()


def test_left_is_blue_and_right_is_orange() -> None:
    (pose,) = cells(pixels(contact_sheet(standing(1), azimuth=0.0)))
    columns = np.arange(pose.shape[1])
    # Seen from the front, the figure's left is on the right of the picture.
    left, right = (np.average(columns, weights=side(pose).sum(axis=0)) for side in (blue, orange))
    assert left > right + 30


def test_the_first_and_last_frames_are_shown() -> None:
    clip = turned(standing(50), "L_Shoulder", "z", np.repeat([80.0, 0.0, -80.0], [1, 48, 1]))
    first, middle, last = cells(pixels(contact_sheet(clip, columns=3)))
    highest = [int(np.argmax(blue(pose).any(axis=1))) for pose in (first, middle, last)]
    assert highest == sorted(highest)
    assert highest[0] < highest[1] < highest[2]


def test_the_ground_moves_under_a_travelling_figure() -> None:
    still, moved = waving(2), waving(2)
    moved.translation[1, 2] += 0.25
    assert contact_sheet(still, columns=2) != contact_sheet(moved, columns=2)


def test_the_same_clip_gives_the_same_bytes() -> None:
    first, again = (contact_sheet(waving(9), columns=2, title="waves") for _ in range(2))
    assert first == again


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_fewer_frames_than_cells_make_a_smaller_sheet(frames: int) -> None:
    picture = pixels(contact_sheet(waving(frames), columns=8))
    assert picture.shape[1] == 2 * MARGIN + frames * CELL[0]
    assert picture.shape[0] <= HEADER + CELL[1] + STAMP + MARGIN


@pytest.mark.parametrize("title", ["", "waves", "一个人挥手 (waves)", "\U000ffffe", "long " * 2000])
def test_any_title_is_drawn_as_far_as_the_fonts_go(title: str) -> None:
    picture = pixels(contact_sheet(waving(9), columns=3, title=title))
    header = picture[:HEADER, : picture.shape[1] // 2]
    latin = any(character.isascii() and character.isalpha() for character in title)
    assert (header.min() < 128) == latin


def test_trails_are_drawn_when_asked_for() -> None:
    assert contact_sheet(waving(), columns=2, trails=True) != contact_sheet(waving(), columns=2)


def test_another_skeleton_is_drawn_as_sticks() -> None:
    names = ("Hips", "LeftLeg", "RightLeg", "Chest")
    offsets = np.array([[0.0, 0.9, 0.0], [0.1, -0.4, 0.0], [-0.1, -0.4, 0.0], [0.0, 0.5, 0.0]])
    ends = {1: (0.0, -0.4, 0.0), 2: (0.0, -0.4, 0.0), 3: (0.0, 0.2, 0.0)}
    clip = standing(5, skeleton=Skeleton(names, (-1, 0, 0, 0), offsets, ends))
    for pose in cells(pixels(contact_sheet(clip, columns=3))):
        assert blue(pose).sum() > 100
        assert orange(pose).sum() > 100


@pytest.mark.parametrize("scale", [0.1, 10.0])
def test_a_figure_of_any_size_fills_its_cell(scale: float) -> None:
    ends = {j: (x * scale, y * scale, z * scale) for j, (x, y, z) in STANDARD.ends.items()}
    skeleton = replace(STANDARD, offsets=STANDARD.offsets * scale, ends=ends)
    clip = standing(3, skeleton=skeleton)
    clip = replace(clip, translation=clip.translation * scale)
    for pose in cells(pixels(contact_sheet(clip))):
        limbs = blue(pose) | orange(pose)
        assert np.ptp(np.flatnonzero(limbs.any(axis=1))) > 0.7 * pose.shape[0]


@pytest.mark.parametrize(
    ("clip", "columns", "rows"),
    [
        (waving(9), 0, 1),
        (waving(9), 1, 0),
        (waving(9), 20, 20),
        (standing(0), 8, 1),
        (replace(standing(2), translation=np.full((2, 3), math.nan)), 8, 1),
        (replace(standing(2), translation=np.full((2, 3), 1e9)), 8, 1),
    ],
)
def test_what_cannot_be_drawn_is_refused(clip: Clip, columns: int, rows: int) -> None:
    with pytest.raises(ValueError, match=r"cell|drawn"):
        contact_sheet(clip, columns=columns, rows=rows)


def test_the_eye_looks_down() -> None:
    assert contact_sheet(waving(2), columns=1, elevation=90.0)
    with pytest.raises(ValueError, match="above"):
        contact_sheet(waving(2), elevation=0.0)
