"""Script to clip: every action writes its part of the score, and the rig solves it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from kinesphere.engines.choreo.channels import UPPER
from kinesphere.engines.choreo.moves import MOVES
from kinesphere.engines.choreo.posture import alive, dress
from kinesphere.engines.choreo.rig import solve
from kinesphere.engines.choreo.score import SIGMA, Beat, Score
from kinesphere.engines.choreo.script import Action, Script
from kinesphere.engines.choreo.stances import enter, rest_of
from kinesphere.engines.choreo.style import style_of
from kinesphere.engines.choreo.timing import Turn, approach, share
from kinesphere.formats.clip import Clip, forward

LONGEST_HOLD: Final = 1.3
"""How many times slower than natural a counted action is played before it is held instead."""


HASTIEST: Final = 1.9
"""How many times faster than natural the last action is played at most."""


CROWDED: Final = 1.6
"""How many times faster than natural a clip is played before its speeds are checked."""
FASTEST: Final = 7.4
"""Speed, m/s, that no joint of a crowded clip may exceed."""
SHARPEST: Final = 1.0 + 2.0 * float(np.cos(np.radians(45.0)))
"""Trace of the largest turn of a joint from one frame to the next."""


def play(script: Script, duration: float, seed: int, fps: float = 30.0) -> Clip:
    """Play a script.

    Args:
        script: What is to be seen.
        duration: Seconds, 0.1 to 120; the clip has `round(duration * fps)` frames, 2 at least.
        seed: Chance of timing, size, sides and phrases; the same seed gives the same clip.
        fps: Frames a second.
    """
    # A stream of its own for what lies over and under, so that neither changes the actions.
    rng, over, under = np.random.default_rng(seed).spawn(3)
    frames = max(2, round(duration * fps))
    score = Score(frames, fps, under)
    turns = _turns(script.actions, rng)
    share(turns, frames / fps)
    start = 0.0
    # The end of a clip may cut its last action off; that beats playing it faster than people move.
    turns[-1].span = max(
        turns[-1].span, turns[-1].natural / min(HASTIEST, turns[-1].move.most_haste)
    )
    for turn in turns:
        _perform(score, turn, start, rng, over)
        start += turn.span
    dress(score, [(turn.style, turn.span, bool(turn.move.holds)) for turn in turns])
    alive(score, under)
    hurry = max(turn.natural / turn.span for turn in turns)
    sigma = SIGMA * float(np.clip(hurry / HASTIEST, 1.0, 2.2))
    clip = solve(score.channels(sigma), score.tracks(), fps)
    if hurry > CROWDED:
        return _calmed(score, clip, sigma)
    return clip


def _calmed(score: Score, clip: Clip, sigma: float) -> Clip:
    """Smooth a crowded clip until nothing in it moves faster than people do, or a limit."""
    for factor in (1.5, 2.2):
        positions, _ = forward(clip)
        step = np.linalg.norm(np.diff(positions, axis=0), axis=2).max(initial=0.0) * score.fps
        turned = np.einsum("tjki,tjki->tj", clip.rotation[:-1], clip.rotation[1:]).min(initial=3.0)
        if step < FASTEST and turned > SHARPEST:
            break
        clip = solve(score.channels(sigma * factor), score.tracks(), score.fps)
    return clip


def _turns(actions: Sequence[Action], rng: np.random.Generator) -> list[Turn]:
    turns: list[Turn] = []
    stance = "stand"
    for action in actions:
        move = MOVES[action.verb]
        style = style_of(action.styles)
        tempo = max(0.2, action.speed) * style.tempo * float(rng.uniform(0.91, 1.1))
        tempo = min(tempo, move.most_tempo)
        path = approach(action, move, stance)
        reps = move.reps if action.count is None else max(1, round(action.count))
        if action.path == "circle" or action.verb in ("spin", "turn"):
            reps = move.reps
        if action.verb == "spin" and action.count is not None:
            reps = max(1, int(np.ceil(action.count)))
        turns.append(Turn(action, move, style, tempo, path, min(reps, 60)))
        stance = path[-1] if path else stance
        stance = move.leave or stance
    return turns


def _perform(
    score: Score, turn: Turn, start: float, rng: np.random.Generator, over: np.random.Generator
) -> None:
    haste = max(1.0, turn.natural / max(turn.span, 1e-6))
    side, both = _side(turn.action, rng)
    on_way = turn.span * turn.approach / turn.natural if haste > 1.0 else turn.approach
    on_way *= float(rng.uniform(0.8, 1.25))
    clock = start
    for stance in turn.path:
        seconds = on_way / len(turn.path)
        enter(score, stance, clock, clock + seconds, side)
        clock += seconds
    end = start + turn.span
    beat = _beat(turn, clock, end, side, both, haste=haste, rng=rng)
    score.open(clock)
    turn.move.play(score, beat)
    _relax(score, clock, end)
    if turn.style.stepped > 0.5:
        beats = max(1, round(turn.span / 0.4))
        score.stepped(start, end, turn.span / beats)
    for overlay in turn.action.overlay:
        _lay_over(score, overlay, turn, start, end, rng=over)


def _beat(
    turn: Turn,
    start: float,
    end: float,
    side: str,
    both: bool,
    *,
    haste: float,
    rng: np.random.Generator,
) -> Beat:
    move = turn.move
    body = max(end - start, 1e-3)
    size = turn.action.amplitude * turn.style.size * float(rng.uniform(0.92, 1.08))
    # What has to be faster than people move is made smaller instead.
    size *= float(np.clip(1.6 / haste, 0.25, 1.0))
    lead, cycle, tail = (part / turn.tempo for part in (move.lead, move.cycle, move.tail))
    lead *= float(rng.uniform(0.8, 1.25))
    tail *= float(rng.uniform(0.85, 1.2))
    natural = lead + turn.reps * cycle + tail
    if move.holds and body > natural:
        cycle += (body - natural) / turn.reps
    else:
        factor = body / natural
        if not move.repeats or turn.action.count is not None:
            factor = min(factor, LONGEST_HOLD)
        lead, cycle, tail = lead * factor, cycle * factor, tail * factor
    return Beat(
        turn.action, start, end, lead, cycle, turn.reps, tail, size, side, both, turn.style, rng,
        haste=haste,
    )  # fmt: skip


def _side(action: Action, rng: np.random.Generator) -> tuple[str, bool]:
    chance = rng.random()
    if action.side in ("left", "right"):
        return action.side[0], False
    return ("r" if chance < 0.7 else "l"), action.side == "both"


def _relax(score: Score, start: float, end: float) -> None:
    """Let what the action left alone come to rest in its stance."""
    time = start + min(0.5, 0.6 * (end - start))
    rest = rest_of(score.stance)
    for channel, value in rest.items():
        alone = channel in UPPER and channel not in score.touched and channel[2:] != "ww"
        if alone and score.last(channel) != value:
            score.key(time, {channel: value})


def _lay_over(
    score: Score, action: Action, under: Turn, start: float, end: float, *, rng: np.random.Generator
) -> None:
    move = MOVES[action.verb]
    if not move.upper:
        return
    style = under.style if not action.styles else style_of(action.styles)
    tempo = max(0.2, action.speed) * style.tempo * float(rng.uniform(0.91, 1.1))
    reps = move.reps if action.count is None else max(1, round(action.count))
    turn = Turn(replace(action, overlay=()), move, style, tempo, [], reps)
    span = end - start
    if action.seconds:
        span = min(span, action.seconds)
    elif not turn.elastic:
        span = min(span, turn.natural * LONGEST_HOLD)
    if turn.elastic and move.repeats:
        own = (span * tempo - move.lead - move.tail) / move.cycle
        turn.reps = max(1, round(own))
    turn.span = span
    side, both = _side(action, rng)
    haste = max(1.0, turn.natural / span)
    beat = replace(_beat(turn, start, start + span, side, both, haste=haste, rng=rng), overlay=True)
    score.begin_overlay(start, start + span)
    score.open(start)
    move.play(score, beat)
    score.end_overlay()
