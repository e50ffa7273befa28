/** The motion in a GLB, and where it takes the joints. Metres, Y up, the figure faces +Z. */
import { BadGlb, at, numbers, type Glb } from "./glb";

export interface Clip {
  /** One a joint, parents before children. */
  readonly names: readonly string[];
  /** Index of each joint's parent, -1 for the root. */
  readonly parents: readonly number[];
  /** (J × 3) m from the parent in the T-pose. */
  readonly rest: Float32Array;
  /** Frames a second. */
  readonly fps: number;
  readonly frames: number;
  /** (T × 3) m, the root. */
  readonly translation: Float32Array;
  /** For each joint (T × 4), quaternions x y z w relative to the parent. */
  readonly turns: readonly Float32Array[];
}

/** The first animation of the first skin. Throws BadGlb where there is none. */
export function clipOf(glb: Glb): Clip {
  const nodes = glb.document.nodes ?? [];
  const joints = at(glb.document.skins, 0).joints;
  const animation = at(glb.document.animations, 0);
  const order = new Map(joints.map((node, joint) => [node, joint]));
  const parents = joints.map(() => -1);
  nodes.forEach((node, index) => {
    for (const child of node.children ?? []) {
      const joint = order.get(child);
      if (joint !== undefined) parents[joint] = order.get(index) ?? -1;
    }
  });
  if (parents.some((parent, joint) => parent >= joint)) {
    throw new BadGlb("a joint comes before its parent");
  }
  const rest = new Float32Array(joints.length * 3);
  joints.forEach((node, joint) => {
    rest.set(nodes[node]?.translation ?? [], 3 * joint);
  });
  const times = numbers(glb, at(animation.samplers, 0).input);
  const frames = times.length;
  const turns = joints.map(() => still(frames));
  let translation: Float32Array = repeated(rest.subarray(0, 3), frames);
  for (const { sampler, target } of animation.channels) {
    const joint = order.get(target.node);
    const values = numbers(glb, at(animation.samplers, sampler).output);
    if (joint === undefined || !(values instanceof Float32Array)) continue;
    if (target.path === "rotation" && values.length === 4 * frames) turns[joint] = values;
    else if (target.path === "translation" && values.length === 3 * frames) translation = values;
  }
  const fps = animation.extras?.fps ?? rateOf(times);
  const names = joints.map((node) => nodes[node]?.name ?? "");
  return { names, parents, rest, fps, frames, translation, turns };
}

/** Where all joints are, (T × J × 3) m in the world. */
export function positionsOf(clip: Clip): Float32Array {
  const joints = clip.names.length;
  const places = new Float32Array(clip.frames * joints * 3);
  const facing = new Float32Array(joints * 4);
  for (let frame = 0; frame < clip.frames; frame += 1) {
    const row = frame * joints * 3;
    for (let joint = 0; joint < joints; joint += 1) {
      const turn = quaternion(clip.turns[joint], frame);
      const parent = clip.parents[joint] ?? -1;
      if (parent < 0) {
        facing.set(turn, 4 * joint);
        places.set(clip.translation.subarray(3 * frame, 3 * frame + 3), row + 3 * joint);
        continue;
      }
      const above = quaternion(facing, parent);
      facing.set(multiplied(above, turn), 4 * joint);
      const way = rotated(above, vector(clip.rest, joint));
      for (let axis = 0; axis < 3; axis += 1) {
        places[row + 3 * joint + axis] =
          (places[row + 3 * parent + axis] ?? 0) + (way[axis] ?? 0);
      }
    }
  }
  return places;
}

export type Vector = readonly [number, number, number];
export type Quaternion = readonly [number, number, number, number];

export function vector(values: Float32Array, row: number): Vector {
  return [values[3 * row] ?? 0, values[3 * row + 1] ?? 0, values[3 * row + 2] ?? 0];
}

export function quaternion(values: Float32Array | undefined, row: number): Quaternion {
  const from = 4 * row;
  return [
    values?.[from] ?? 0, values?.[from + 1] ?? 0, values?.[from + 2] ?? 0, values?.[from + 3] ?? 1,
  ];
}

export function multiplied(a: Quaternion, b: Quaternion): Quaternion {
  const [ax, ay, az, aw] = a;
  const [bx, by, bz, bw] = b;
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
}

export function rotated(q: Quaternion, v: Vector): Vector {
  const [x, y, z, w] = q;
  const [vx, vy, vz] = v;
  const tx = 2 * (y * vz - z * vy);
  const ty = 2 * (z * vx - x * vz);
  const tz = 2 * (x * vy - y * vx);
  return [
    vx + w * tx + y * tz - z * ty,
    vy + w * ty + z * tx - x * tz,
    vz + w * tz + x * ty - y * tx,
  ];
}

function still(frames: number): Float32Array {
  return new Float32Array(4 * frames).map((_, index) => (index % 4 === 3 ? 1 : 0));
}

function repeated(row: Float32Array, frames: number): Float32Array {
  return new Float32Array(row.length * frames).map((_, index) => row[index % row.length] ?? 0);
}

function rateOf(times: ArrayLike<number>): number {
  const last = times[times.length - 1] ?? 0;
  return times.length > 1 && last > 0 ? (times.length - 1) / last : 30;
}
