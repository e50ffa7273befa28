import { expect, test } from "vitest";

import { findingsOf, placed, stretches, type Measure } from "./findings";
import { Playback } from "./playback";
import {
  advanced, frameAt, frameUnder, geared, lengthOf, placeAt, secondsAt, together,
} from "./timeline";

const SPAN = { frames: 150, fps: 30 };

test("every frame is found again at its own time", () => {
  for (const fps of [24, 29.97, 30, 60, 120]) {
    const span = { frames: 900, fps };
    const all = Array.from({ length: 900 }, (_, frame) => frame);
    expect(all.map((frame) => frameAt(span, secondsAt(span, frame)))).toEqual(all);
    expect(all.map((frame) => frameUnder(span, (frame + 0.5) / 900))).toEqual(all);
    expect(placeAt(span, secondsAt(span, 599))).toBeCloseTo(599, 9);
  }
  expect([frameAt(SPAN, -1), frameAt(SPAN, 99), frameUnder(SPAN, 1)]).toEqual([0, 149, 149]);
});

test("time passes at its speed, round again or to the end", () => {
  expect(advanced(SPAN, 1, 0.5, 0.1, false).seconds).toBeCloseTo(1.05);
  expect(advanced(SPAN, 4.9, 0.2, 1, true).seconds).toBeCloseTo(0.1);
  expect(advanced(SPAN, 4.9, 0.2, 1, false)).toEqual({ seconds: 149 / 30, playing: false });
});

test("two motions run on one time line, the shorter waiting at its end", () => {
  const line = together([SPAN, { frames: 240, fps: 60 }]);
  expect(line).toEqual({ frames: 300, fps: 60 });
  expect(lengthOf(line)).toBe(5);
  expect(together([])).toEqual({ frames: 1, fps: 1 });
});

test("speeds go from one gear to the next and no further", () => {
  expect([geared(1, 1), geared(1, -1), geared(2, 1), geared(0.1, -1)]).toEqual([1.5, 0.5, 2, 0.1]);
});

test("a player stops on whole frames and starts again from the end", () => {
  let moves = 0;
  const playback = new Playback(() => { moves += 1; });
  playback.load(SPAN);
  playback.play();
  expect(playback.tick(0.51)).toBe(true);
  expect(playback.frame.value).toBe(15);
  playback.toggle();
  expect(playback.position).toBeCloseTo(0.5);
  expect(playback.tick(1)).toBe(false);
  playback.step(-Infinity);
  expect(playback.frame.value).toBe(0);
  playback.step(1000);
  expect(playback.frame.value).toBe(149);
  playback.loop.value = false;
  playback.play();
  expect(playback.position).toBe(0);
  expect(playback.tick(9)).toBe(false);
  expect([playback.playing.value, playback.frame.value]).toEqual([false, 149]);
  playback.load({ frames: 10, fps: 30 });
  expect(playback.frame.value).toBe(0);
  expect(moves).toBeGreaterThan(5);
});

test("what is at fault is marked by its stretches, the gravest first", () => {
  const measure = (name: string, verdict: string, frames: number[]): Measure => ({
    name, verdict, frames, value: 1, unit: "", warn_at: 1, fail_at: null, joints: [],
  });
  const measures = [
    measure("a", "pass", []), measure("b", "pass", [3]), measure("c", "warn", [7, 5, 6, 9]),
    measure("d", "fail", []),
  ];
  const found = findingsOf({ verdict: "fail", measures });
  expect(found.map(({ measure: { name }, weight }) => [name, weight])).toEqual([
    ["d", "fail"], ["c", "warn"], ["b", "note"],
  ]);
  expect(stretches([7, 5, 6, 9])).toEqual([[5, 7], [9, 9]]);
  const mark = placed([15, 29], SPAN, { frames: 600, fps: 60 });
  expect(mark).toEqual({ from: 0.05, width: 0.05 });
});
