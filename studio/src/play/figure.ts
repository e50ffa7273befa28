/** The skinned mannequin of a motion. */
import {
  Bone, BufferAttribute, BufferGeometry, Color, Group, Matrix4, Mesh, MeshLambertMaterial,
  MeshStandardMaterial, Quaternion, Skeleton, SkinnedMesh, Vector3, type Material,
} from "three";

import { positionsOf, vector, type Clip } from "./clip";
import { device } from "./device";
import { at, numbers, type Glb, type Primitive } from "./glb";
import type { Exhibit } from "./exhibit";
import { Skin } from "./skin";
import { Trails } from "./trails";

/** m: a person with arms spread fits in a ball of this radius about the middle of the body. */
const RADIUS = 1.05;
const MIDDLE = 0.88;
/** Seconds over which the camera evens out the way that it follows. */
const EVENED = 0.8;

export class Figure implements Exhibit {
  readonly root = new Group();
  readonly radius = RADIUS;
  readonly middle = MIDDLE;
  readonly positions: Float32Array;
  follows = true;
  private readonly body: Mesh<BufferGeometry, Material[]>;
  private readonly skin: Skin | null;
  private readonly bones: readonly Bone[];
  private readonly trails: Trails;
  private readonly way: Float32Array;
  private readonly whole: Vector3;
  private place = 0;
  private bent = -1;

  constructor(glb: Glb, readonly clip: Clip) {
    this.positions = positionsOf(clip);
    this.way = evened(clip);
    this.whole = middleOf(clip);
    this.bones = bonesOf(clip);
    const inverse = numbers(glb, at(glb.document.skins, 0).inverseBindMatrices);
    const bind = this.bones.map((_, joint) => new Matrix4().fromArray(inverse, 16 * joint));
    const { geometry, materials } = skinOf(glb);
    this.skin = device()?.software ? new Skin(geometry, this.bones, bind) : null;
    this.body = this.skin
      ? new Mesh(geometry, materials)
      : skinned(new SkinnedMesh(geometry, materials), this.bones, bind);
    this.body.castShadow = true;
    this.body.receiveShadow = true;
    // Its bounds are those of the T-pose.
    this.body.frustumCulled = false;
    this.trails = new Trails(clip, this.positions);
    const roots = this.bones.filter((bone) => bone.parent === null);
    this.root.add(this.body, ...roots, this.trails.root);
    this.pose(0);
  }

  /** Takes the pose at a place between two frames. */
  pose(place: number): void {
    this.place = place;
    const { clip } = this;
    const frame = Math.floor(place);
    const next = Math.min(frame + 1, clip.frames - 1);
    const share = place - frame;
    this.bones.forEach((bone, joint) => {
      const turns = clip.turns[joint];
      if (turns === undefined) return;
      bone.quaternion.fromArray(turns, 4 * frame);
      if (share > 0) bone.quaternion.slerp(NEXT.fromArray(turns, 4 * next), share);
      if ((clip.parents[joint] ?? -1) < 0) between(clip.translation, place, bone.position);
    });
  }

  /** m, the root above the ground. */
  get height(): number {
    return this.clip.translation[3 * Math.floor(this.place) + 1] ?? 0;
  }

  set trailing(shown: boolean) {
    this.trails.root.visible = shown;
  }

  anchor(into: Vector3): Vector3 {
    if (!this.follows) return into.copy(this.whole);
    return between(this.way, this.place, into).setY(0);
  }

  before(width: number, height: number): void {
    if (this.skin !== null && this.bent !== this.place) {
      this.root.updateMatrixWorld();
      this.skin.bend();
      this.bent = this.place;
    }
    this.trails.show(this.place, width, height);
  }

  dispose(): void {
    this.trails.dispose();
    this.body.geometry.dispose();
    if (this.body instanceof SkinnedMesh) this.body.skeleton.dispose();
    for (const material of this.body.material) material.dispose();
  }
}

function skinned<Body extends SkinnedMesh>(
  body: Body, bones: readonly Bone[], bind: Matrix4[],
): Body {
  body.bind(new Skeleton([...bones], bind), new Matrix4());
  return body;
}

const NEXT = new Quaternion();

function between(rows: Float32Array, place: number, into: Vector3): Vector3 {
  const frame = Math.floor(place);
  const next = Math.min(frame + 1, rows.length / 3 - 1);
  const [x, y, z] = vector(rows, frame);
  return into.set(x, y, z).lerp(TARGET.set(...vector(rows, next)), place - frame);
}

const TARGET = new Vector3();

function bonesOf(clip: Clip): readonly Bone[] {
  const bones = clip.names.map((name, joint) => {
    const bone = new Bone();
    bone.name = name;
    bone.position.set(...vector(clip.rest, joint));
    return bone;
  });
  clip.parents.forEach((parent, joint) => {
    const bone = bones[joint];
    if (bone !== undefined) bones[parent]?.add(bone);
  });
  return bones;
}

/** The skin as one geometry with a group for each of its materials. */
function skinOf(glb: Glb) {
  const { primitives } = at(glb.document.meshes, 0);
  const { attributes } = at(primitives, 0);
  const geometry = new BufferGeometry();
  const set = (name: string, from: string, width: number, normalized = false) => {
    const values = numbers(glb, attributes[from]);
    geometry.setAttribute(name, new BufferAttribute(values, width, normalized));
  };
  set("position", "POSITION", 3);
  set("normal", "NORMAL", 3);
  set("skinIndex", "JOINTS_0", 4);
  set("skinWeight", "WEIGHTS_0", 4, true);
  const faces: number[] = [];
  primitives.forEach((primitive, index) => {
    const part = numbers(glb, primitive.indices);
    geometry.addGroup(faces.length, part.length, index);
    for (const corner of part) faces.push(corner);
  });
  geometry.setIndex(faces);
  return { geometry, materials: primitives.map((primitive) => materialOf(glb, primitive)) };
}

function materialOf(glb: Glb, primitive: Primitive): Material {
  const look = glb.document.materials?.[primitive.material ?? -1]?.pbrMetallicRoughness;
  const [red = 0.8, green = 0.8, blue = 0.8] = look?.baseColorFactor ?? [];
  const color = new Color(red, green, blue);
  if (device()?.software) return new MeshLambertMaterial({ color });
  return new MeshStandardMaterial({
    color, metalness: 0, roughness: look?.roughnessFactor ?? 0.6,
  });
}

/** The root's way with its haste taken out: a mean over the frames about each. */
function evened(clip: Clip): Float32Array {
  const half = Math.max(1, Math.round((EVENED * clip.fps) / 2));
  const way = new Float32Array(3 * clip.frames);
  for (let frame = 0; frame < clip.frames; frame += 1) {
    for (const axis of [0, 2]) {
      let sum = 0;
      for (let step = -half; step <= half; step += 1) {
        const bounded = Math.max(0, Math.min(clip.frames - 1, frame + step));
        sum += clip.translation[3 * bounded + axis] ?? 0;
      }
      way[3 * frame + axis] = sum / (2 * half + 1);
    }
  }
  return way;
}

/** The middle of the ground that the root covers. */
function middleOf(clip: Clip): Vector3 {
  const least = new Vector3(Infinity, 0, Infinity);
  const most = new Vector3(-Infinity, 0, -Infinity);
  for (let frame = 0; frame < clip.frames; frame += 1) {
    const [x, , z] = vector(clip.translation, frame);
    least.min(TARGET.set(x, 0, z));
    most.max(TARGET);
  }
  return least.add(most).multiplyScalar(0.5);
}
