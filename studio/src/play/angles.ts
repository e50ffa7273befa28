/**
 * Joint angles as the quality checks read them: a bone's swing from the T-pose about the joint's
 * anatomical axis, the right side mirrored, so that a bent knee is positive on both sides.
 */
import { multiplied, quaternion, rotated, type Clip, type Quaternion, type Vector } from "./clip";

export type AngleName =
  "knee" | "hip" | "ankle" | "elbow" | "shoulder" | "wrist" | "trunk" | "neck";

interface Angle {
  /** Joints whose turns are multiplied, the outermost last; of a side without its letter. */
  readonly chain: readonly string[];
  readonly sided: boolean;
  /** Of the left or middle bone in the T-pose. */
  readonly bone: Vector;
  /** Degrees, from where the bone has gone. */
  readonly read: (gone: Vector, swing: Vector) => number;
}

const DOWN: Vector = [0, -1, 0];
const UP: Vector = [0, 1, 0];
const OUT: Vector = [1, 0, 0];
const AHEAD: Vector = [0, 0, 1];

const ANGLES: Readonly<Record<AngleName, Angle>> = {
  knee: { chain: ["Knee"], sided: true, bone: DOWN, read: (_, swing) => swing[0] },
  hip: { chain: ["Hip"], sided: true, bone: DOWN, read: (_, swing) => -swing[0] },
  ankle: { chain: ["Ankle"], sided: true, bone: AHEAD, read: (_, swing) => -swing[0] },
  elbow: { chain: ["Elbow"], sided: true, bone: OUT, read: (_, swing) => -swing[1] },
  // From the hanging arm: 90 in the T-pose, 180 overhead.
  shoulder: {
    chain: ["Collar", "Shoulder"], sided: true, bone: OUT,
    read: (gone) => degrees(Math.acos(Math.max(-1, Math.min(1, -gone[1])))),
  },
  wrist: { chain: ["Wrist"], sided: true, bone: OUT, read: (_, swing) => -swing[2] },
  trunk: {
    chain: ["Spine1", "Spine2", "Spine3"], sided: false, bone: UP, read: (_, swing) => swing[0],
  },
  neck: { chain: ["Neck", "Head"], sided: false, bone: UP, read: (_, swing) => swing[0] },
};

export const ANGLE_NAMES = Object.keys(ANGLES) as readonly AngleName[];

/** The curves of one angle: left and right, or the one of the middle; degrees a frame. */
export function curvesOf(clip: Clip, name: AngleName): readonly Float32Array[] {
  const { chain, sided } = ANGLES[name];
  const sides = sided ? ["L_", "R_"] : [""];
  return sides.flatMap((side) => {
    const joints = chain.map((joint) => clip.names.indexOf(side + joint));
    return joints.includes(-1) ? [] : [curve(clip, ANGLES[name], joints, side === "R_")];
  });
}

/** The least and the most of some curves, at least 30 degrees apart. */
export function boundsOf(curves: readonly Float32Array[]): readonly [number, number] {
  let least = Infinity;
  let most = -Infinity;
  for (const values of curves) {
    for (const value of values) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
  }
  if (least > most) return [-15, 15];
  const spare = Math.max(0, 30 - (most - least)) / 2;
  return [least - spare, most + spare];
}

function curve(clip: Clip, angle: Angle, joints: readonly number[], mirror: boolean) {
  const values = new Float32Array(clip.frames);
  for (let frame = 0; frame < clip.frames; frame += 1) {
    let turn: Quaternion = [0, 0, 0, 1];
    for (const joint of joints) turn = multiplied(turn, quaternion(clip.turns[joint], frame));
    if (mirror) turn = [turn[0], -turn[1], -turn[2], turn[3]];
    const gone = rotated(turn, angle.bone);
    values[frame] = angle.read(gone, swingOf(angle.bone, gone));
  }
  return values;
}

/** The rotation vector, in degrees, of the smallest turn that takes one direction to another. */
export function swingOf(from: Vector, to: Vector): Vector {
  const [ax, ay, az] = from;
  const [bx, by, bz] = to;
  const axis = [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx] as const;
  const sine = Math.hypot(...axis);
  if (sine < 1e-9) return [0, 0, 0];
  const scale = degrees(Math.atan2(sine, ax * bx + ay * by + az * bz)) / sine;
  return [axis[0] * scale, axis[1] * scale, axis[2] * scale];
}

function degrees(radians: number): number {
  return (radians * 180) / Math.PI;
}
