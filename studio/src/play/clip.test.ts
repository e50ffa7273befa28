import { expect, test } from "vitest";

import { boundsOf, curvesOf, swingOf } from "./angles";
import { clipOf, positionsOf, vector, type Clip } from "./clip";
import { AIR, GROUND, SLIDING, contactOf, runsOf } from "./contact";
import { BadGlb, opened } from "./glb";
import { rowsOf, trackOf } from "./strips";

const TURN = Math.SQRT1_2;
/** A hip and a knee a side, and feet; the left knee bends a quarter turn in the second frame. */
const NAMES = ["Pelvis", "L_Knee", "L_Foot", "R_Knee", "R_Foot"];
const RESTS = [[0, 1, 0], [0.1, -0.5, 0], [0, -0.48, 0], [-0.1, -0.5, 0], [0, -0.48, 0]];
const CHILDREN = [[2, 4], [3], [], [5], []];

function glb(change: (document: Record<string, unknown>) => void = () => undefined): ArrayBuffer {
  const still = [0, 0, 0, 1];
  const values = new Float32Array([
    // Times, the root's way, the turns of the left and of the right knee.
    0, 0.5, 0, 1, 0, 0, 1, 1, ...still, TURN, 0, 0, TURN, ...still, TURN, 0, 0, TURN,
  ]);
  const view = (byteOffset: number, type: string) => ({
    bufferView: 0, byteOffset, componentType: 5126, count: 2, type,
  });
  const document = {
    nodes: [
      { mesh: 0 },
      ...NAMES.map((name, joint) => ({
        name, translation: RESTS[joint], children: CHILDREN[joint],
      })),
    ],
    skins: [{ joints: [1, 2, 3, 4, 5] }],
    accessors: [view(0, "SCALAR"), view(8, "VEC3"), view(32, "VEC4"), view(64, "VEC4")],
    bufferViews: [{ byteLength: values.byteLength }],
    animations: [
      {
        samplers: [0, 1, 2].map((sampler) => ({ input: 0, output: sampler + 1 })),
        channels: [
          { sampler: 0, target: { node: 1, path: "translation" } },
          { sampler: 1, target: { node: 2, path: "rotation" } },
          { sampler: 2, target: { node: 4, path: "rotation" } },
        ],
      },
    ],
  };
  change(document);
  const text = new TextEncoder().encode(JSON.stringify(document));
  const size = Math.ceil(text.length / 4) * 4;
  const file = new Uint8Array(28 + size + values.byteLength).fill(0x20);
  const head = new DataView(file.buffer);
  [0x46546c67, 2, file.length, size, 0x4e4f534a].forEach((word, at) => {
    head.setUint32(4 * at, word, true);
  });
  file.set(text, 20);
  head.setUint32(20 + size, values.byteLength, true);
  head.setUint32(24 + size, 0x004e4942, true);
  file.set(new Uint8Array(values.buffer), 28 + size);
  return file.buffer;
}

function moved(heights: readonly number[], ahead: readonly number[]): [Clip, Float32Array] {
  const clip = clipOf(opened(glb()));
  const frames = heights.length;
  const places = new Float32Array(frames * 5 * 3);
  heights.forEach((height, frame) => {
    places.set([0, height, ahead[frame] ?? 0], 3 * (5 * frame + 2));
    places.set([0, 1, 0], 3 * (5 * frame + 4));
  });
  return [{ ...clip, frames, fps: 30 }, places];
}

test("a motion is read from its file, the rate from its times", () => {
  const clip = clipOf(opened(glb()));
  expect(clip).toMatchObject({ names: NAMES, parents: [-1, 0, 1, 0, 3], fps: 2, frames: 2 });
  expect(vector(clip.translation, 1)).toEqual([0, 1, 1]);
});

test("joints go where their parents take them", () => {
  const places = positionsOf(clipOf(opened(glb())));
  const expected = [[0, 1, 0], [0.1, 0.5, 0], [0.1, 0.02, 0], [0, 1, 1], [0.1, 0.5, 1]];
  [0, 1, 2, 5, 6].forEach((row, at) => {
    vector(places, row).forEach((value, axis) => {
      expect(value).toBeCloseTo(expected[at]?.[axis] ?? NaN, 5);
    });
  });
  // A bent knee takes the foot back.
  expect(vector(places, 7)[2]).toBeCloseTo(1 - 0.48, 5);
});

test("a bent knee is positive on both sides", () => {
  const [left, right] = curvesOf(clipOf(opened(glb())), "knee");
  for (const curve of [left, right]) {
    expect(curve?.[0]).toBeCloseTo(0, 4);
    expect(curve?.[1]).toBeCloseTo(90, 3);
  }
  expect(curvesOf(clipOf(opened(glb())), "elbow")).toEqual([]);
  expect(swingOf([0, 1, 0], [0, 1, 0])).toEqual([0, 0, 0]);
  expect(boundsOf([new Float32Array([10, 20])])).toEqual([0, 30]);
  expect(boundsOf([])).toEqual([-15, 15]);
});

test("a foot is in the air, on the ground, or slides over it", () => {
  const slow = [0, 0, 0.001, 0.002, 0.002, 0.002];
  const fast = [0, 0.05, 0.1, 0.15, 0.2, 0.25];
  const [clip, places] = moved([0.2, 0.01, 0.01, 0.01, 0.01, 0.2], slow);
  expect([...(contactOf(clip, places)[0] ?? [])]).toEqual([AIR, 1, 1, 1, 1, AIR]);
  expect([...(contactOf(clip, places)[1] ?? [])]).toEqual([0, 0, 0, 0, 0, 0]);
  const slides = contactOf(...moved([0.01, 0.01, 0.01, 0.01, 0.01, 0.01], fast))[0];
  expect([...(slides ?? [])]).toEqual([GROUND, 2, 2, 2, 2, SLIDING]);
  expect(runsOf(new Uint8Array([0, 1, 1, 2, 0, 1]))).toEqual([
    { from: 1, to: 3, state: 1 }, { from: 3, to: 4, state: 2 }, { from: 5, to: 6, state: 1 },
  ]);
});

test("rows of two motions share the scale of an angle", () => {
  const clip = clipOf(opened(glb()));
  const track = trackOf(clip, positionsOf(clip));
  const rows = rowsOf([track, track], ["knee", "elbow"]);
  expect(rows.map((row) => [row.track, row.angle])).toEqual([
    [0, "knee"], [0, null], [1, "knee"], [1, null],
  ]);
  expect(rows[0]?.bounds).toBe(rows[2]?.bounds);
});

test("other bytes are refused", () => {
  expect(() => opened(new ArrayBuffer(40))).toThrow(BadGlb);
  expect(() => opened(glb().slice(0, 100))).toThrow(BadGlb);
  const without = glb((document) => { document["animations"] = []; });
  expect(() => clipOf(opened(without))).toThrow(BadGlb);
});
