/** Frames of a live stream: what their bytes say, and where that puts the joints. */

export interface Skeleton {
  readonly fps: number;
  readonly names: readonly string[];
  readonly parents: readonly number[];
  /** m, from the parent's joint in the T-pose. */
  readonly offsets: readonly (readonly [number, number, number])[];
  /** m, from a leaf to what is beyond it, such as the fingertips. */
  readonly ends: Readonly<Record<string, readonly [number, number, number]>>;
}

export interface Frame {
  /** How many frames were sent before it. */
  readonly number: number;
  /** Seconds of the film. */
  readonly time: number;
  /** Root position in m, then x y z w of each joint. */
  readonly pose: Float32Array;
}

const HEAD = 16;

/** A packed frame, or null for bytes that are none of version 1. */
export function unpacked(data: ArrayBuffer): Frame | null {
  if (data.byteLength < HEAD + 12) return null;
  const view = new DataView(data);
  const joints = view.getUint16(2, true);
  const whole = data.byteLength === HEAD + 12 + 16 * joints;
  if (view.getUint8(0) !== 1 || view.getUint8(1) !== 1 || !whole) return null;
  const pose = new Float32Array(3 + 4 * joints);
  for (let each = 0; each < pose.length; each += 1)
    pose[each] = view.getFloat32(HEAD + 4 * each, true);
  return { number: view.getUint32(4, true), time: view.getFloat64(8, true), pose };
}

/** Bones as pairs of points, three numbers each: from every joint's parent, then the tips. */
export class Body {
  /** The bone from the head's joint to the crown; -1 where there is none. */
  readonly head: number;
  /** [from, to] of each bone: 6 numbers. */
  readonly bones: Float32Array;
  private readonly places: Float32Array;
  private readonly turns: Float32Array;
  private readonly tips: readonly [number, readonly [number, number, number]][];

  constructor(readonly skeleton: Skeleton) {
    const count = skeleton.parents.length;
    this.places = new Float32Array(3 * count);
    this.turns = new Float32Array(4 * count);
    this.tips = Object.entries(skeleton.ends).map(([name, way]) => [
      skeleton.names.indexOf(name), way,
    ]);
    const rooted = skeleton.parents.filter((parent) => parent >= 0).length;
    this.bones = new Float32Array(6 * (rooted + this.tips.length));
    const crown = this.tips.findIndex(([joint]) => skeleton.names[joint] === "Head");
    this.head = crown < 0 ? -1 : rooted + crown;
  }

  /** Where a joint is, in m. */
  place(joint: number): [number, number, number] {
    return [this.at(this.places, 3 * joint), this.at(this.places, 3 * joint + 1), this.at(this.places, 3 * joint + 2)];
  }

  pose(frame: Frame): void {
    const { parents, offsets } = this.skeleton;
    let bone = 0;
    parents.forEach((parent, joint) => {
      const turn = frame.pose.subarray(3 + 4 * joint, 7 + 4 * joint);
      if (parent < 0) {
        this.places.set(frame.pose.subarray(0, 3), 3 * joint);
        this.turns.set(turn, 4 * joint);
        return;
      }
      const place = this.beyond(parent, offsets[joint] ?? [0, 0, 0]);
      this.places.set(place, 3 * joint);
      this.turns.set(product(this.turns.subarray(4 * parent, 4 * parent + 4), turn), 4 * joint);
      this.bones.set([...this.place(parent), ...place], bone);
      bone += 6;
    });
    for (const [joint, way] of this.tips) {
      this.bones.set([...this.place(joint), ...this.beyond(joint, way)], bone);
      bone += 6;
    }
  }

  /** A way in a joint's own frame, from where it is. */
  private beyond(joint: number, way: readonly [number, number, number]): [number, number, number] {
    const [x, y, z] = rotated(this.turns.subarray(4 * joint, 4 * joint + 4), way);
    const [a, b, c] = this.place(joint);
    return [a + x, b + y, c + z];
  }

  private at(values: Float32Array, index: number): number {
    return values[index] ?? 0;
  }
}

function product(one: Float32Array, other: Float32Array): [number, number, number, number] {
  const [ax = 0, ay = 0, az = 0, aw = 1] = one;
  const [bx = 0, by = 0, bz = 0, bw = 1] = other;
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
}

function rotated(
  turn: Float32Array, [vx, vy, vz]: readonly [number, number, number],
): [number, number, number] {
  const [x = 0, y = 0, z = 0, w = 1] = turn;
  const [tx, ty, tz] = [2 * (y * vz - z * vy), 2 * (z * vx - x * vz), 2 * (x * vy - y * vx)];
  return [
    vx + w * tx + y * tz - z * ty,
    vy + w * ty + z * tx - x * tz,
    vz + w * tz + x * ty - y * tx,
  ];
}
