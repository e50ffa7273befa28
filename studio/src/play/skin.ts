/** A skin that the processor bends, once a pose: where it draws too, a vertex shader that bends
 * each corner of each triangle in each pass costs more than all the rest of the picture. */
import { BufferAttribute, DynamicDrawUsage, Matrix4, type Bone, type BufferGeometry } from "three";

const INFLUENCES = 4;
const WIDTH = 12;
const MATRIX = new Matrix4();

export class Skin {
  private readonly points: Float32Array;
  private readonly normals: Float32Array;
  private readonly joints: ArrayLike<number>;
  private readonly weights: Float32Array;
  private readonly matrices: Float32Array;

  /** Takes the attributes `skinIndex` and `skinWeight` out of the geometry. */
  constructor(
    private readonly geometry: BufferGeometry,
    private readonly bones: readonly Bone[],
    private readonly inverse: readonly Matrix4[],
  ) {
    this.points = Float32Array.from(geometry.getAttribute("position").array);
    this.normals = Float32Array.from(geometry.getAttribute("normal").array);
    this.joints = geometry.getAttribute("skinIndex").array;
    this.weights = shares(geometry.getAttribute("skinWeight").array);
    this.matrices = new Float32Array(WIDTH * bones.length);
    geometry.deleteAttribute("skinIndex").deleteAttribute("skinWeight");
    for (const [name, rest] of [["position", this.points], ["normal", this.normals]] as const) {
      const bent = new BufferAttribute(Float32Array.from(rest), 3);
      geometry.setAttribute(name, bent.setUsage(DynamicDrawUsage));
    }
  }

  /** Follows the bones, whose matrices are of now. */
  bend(): void {
    this.bones.forEach((bone, joint) => {
      const inverse = this.inverse[joint];
      if (inverse === undefined) return;
      const { elements } = MATRIX.multiplyMatrices(bone.matrixWorld, inverse);
      // The three rows of it, one after the other.
      for (let at = 0; at < WIDTH; at += 1) {
        this.matrices[WIDTH * joint + at] = elements[(at >> 2) + 4 * (at & 3)] ?? 0;
      }
    });
    const position = this.geometry.getAttribute("position");
    const normal = this.geometry.getAttribute("normal");
    this.blend(position.array as Float32Array, normal.array as Float32Array);
    position.needsUpdate = normal.needsUpdate = true;
  }

  private blend(points: Float32Array, normals: Float32Array): void {
    const { weights, joints, matrices } = this;
    const rows = new Float32Array(WIDTH);
    for (let vertex = 0; 3 * vertex < points.length; vertex += 1) {
      rows.fill(0);
      for (let part = INFLUENCES * vertex; part < INFLUENCES * (vertex + 1); part += 1) {
        const weight = weights[part] ?? 0;
        if (weight === 0) continue;
        const from = WIDTH * (joints[part] ?? 0);
        for (let at = 0; at < WIDTH; at += 1) {
          rows[at] = (rows[at] ?? 0) + weight * (matrices[from + at] ?? 0);
        }
      }
      turned(rows, this.points, points, 3 * vertex, 1);
      turned(rows, this.normals, normals, 3 * vertex, 0);
    }
  }
}

/** Three numbers by the rows of a matrix, moved by its last column where they are a place. */
function turned(
  rows: Float32Array, from: Float32Array, into: Float32Array, at: number, moved: 0 | 1,
): void {
  const [x = 0, y = 0, z = 0] = [from[at], from[at + 1], from[at + 2]];
  for (let axis = 0; axis < 3; axis += 1) {
    const row = 4 * axis;
    into[at + axis] =
      (rows[row] ?? 0) * x + (rows[row + 1] ?? 0) * y + (rows[row + 2] ?? 0) * z +
      (rows[row + 3] ?? 0) * moved;
  }
}

/** Weights that add up to one, whatever they are stored as. */
function shares(stored: ArrayLike<number>): Float32Array {
  const found = Float32Array.from(stored);
  for (let at = 0; at < found.length; at += INFLUENCES) {
    const own = found.subarray(at, at + INFLUENCES);
    const sum = own.reduce((before, weight) => before + weight, 0);
    if (sum > 0) own.forEach((weight, part) => { own[part] = weight / sum; });
  }
  return found;
}
