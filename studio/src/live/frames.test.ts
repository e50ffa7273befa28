import { expect, test } from "vitest";

import { Body, unpacked, type Skeleton } from "./frames";

const ARM: Skeleton = {
  fps: 30,
  names: ["Hips", "Elbow"],
  parents: [-1, 0],
  offsets: [[0, 1, 0], [1, 0, 0]],
  ends: { Elbow: [0.5, 0, 0] },
};

function bytes(pose: readonly number[], joints = (pose.length - 3) / 4): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(16 + 4 * pose.length));
  view.setUint8(0, 1);
  view.setUint8(1, 1);
  view.setUint16(2, joints, true);
  view.setUint32(4, 7, true);
  view.setFloat64(8, 1.25, true);
  pose.forEach((value, each) => {
    view.setFloat32(16 + 4 * each, value, true);
  });
  return view.buffer;
}

test("joints follow the turns of their parents", () => {
  const half = Math.SQRT1_2;
  // A quarter turn about z at the root, another at the elbow.
  const frame = unpacked(bytes([0, 2, 0, 0, 0, half, half, 0, 0, half, half]));
  expect(frame).toMatchObject({ number: 7, time: 1.25 });
  const body = new Body(ARM);
  if (frame) body.pose(frame);
  const wanted = [0, 2, 0, 0, 3, 0, 0, 3, 0, -0.5, 3, 0];
  [...body.bones].forEach((value, each) => {
    expect(value).toBeCloseTo(wanted[each] ?? NaN, 5);
  });
  expect(body.place(1)[1]).toBeCloseTo(3, 5);
});

test("bytes that are no frame are none", () => {
  const good = [0, 1, 0, 0, 0, 0, 1];
  expect(unpacked(new ArrayBuffer(4))).toBeNull();
  expect(unpacked(bytes(good, 2))).toBeNull();
  expect(unpacked(bytes(good))).not.toBeNull();
});
