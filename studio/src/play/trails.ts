/** Ribbons behind hands and feet, of a width in pixels, fading with age. */
import {
  BufferAttribute, BufferGeometry, Color, DoubleSide, Group, Mesh, ShaderMaterial, Vector2,
} from "three";

import { vector, type Clip } from "./clip";
import { SIDES } from "./theme";

const VERTEX = `
attribute vec3 before;
attribute vec3 after;
attribute vec2 place;
uniform float now;
uniform float span;
uniform float width;
uniform vec2 size;
varying float age;
void main() {
  mat4 seen = projectionMatrix * modelViewMatrix;
  vec4 here = seen * vec4(position, 1.0);
  vec4 a = seen * vec4(before, 1.0);
  vec4 b = seen * vec4(after, 1.0);
  age = (now - place.x) / span;
  vec2 way = (b.xy / b.w - a.xy / a.w) * size;
  vec2 across = length(way) > 1e-3 ? normalize(vec2(-way.y, way.x)) : vec2(0.0);
  here.xy += across * place.y * width * clamp(1.0 - age, 0.0, 1.0) / size * here.w;
  gl_Position = here;
}`;

const FRAGMENT = `
uniform vec3 colour;
varying float age;
void main() {
  if (age < 0.0 || age > 1.0) discard;
  gl_FragColor = vec4(colour, 0.75 * (1.0 - age));
  #include <colorspace_fragment>
}`;

const TRAILED = [
  ["L_Wrist", SIDES[0]], ["R_Wrist", SIDES[1]], ["L_Foot", SIDES[0]], ["R_Foot", SIDES[1]],
] as const;
/** Seconds of the past that are seen. */
const SECONDS = 1;

export class Trails {
  readonly root = new Group();
  private readonly geometries: BufferGeometry[] = [];
  private readonly materials: ShaderMaterial[] = [];
  private readonly span: number;

  constructor(clip: Clip, positions: Float32Array) {
    this.span = SECONDS * clip.fps;
    for (const [name, colour] of TRAILED) {
      const joint = clip.names.indexOf(name);
      if (joint < 0) continue;
      const geometry = ribbon(positions, clip, joint);
      const material = new ShaderMaterial({
        vertexShader: VERTEX,
        fragmentShader: FRAGMENT,
        transparent: true,
        depthWrite: false,
        side: DoubleSide,
        uniforms: {
          now: { value: 0 }, span: { value: this.span }, width: { value: 5 },
          size: { value: new Vector2(1, 1) }, colour: { value: new Color(colour) },
        },
      });
      const mesh = new Mesh(geometry, material);
      mesh.frustumCulled = false;
      mesh.renderOrder = 3;
      this.geometries.push(geometry);
      this.materials.push(material);
      this.root.add(mesh);
    }
  }

  /** Up to a place between frames, on a view of so many pixels. */
  show(place: number, width: number, height: number): void {
    const from = Math.max(0, Math.floor(place - this.span));
    for (const geometry of this.geometries) {
      geometry.setDrawRange(6 * from, 6 * (Math.ceil(place) - from));
    }
    for (const { uniforms } of this.materials) {
      if (uniforms["now"]) uniforms["now"].value = place;
      (uniforms["size"]?.value as Vector2).set(width, height);
    }
  }

  dispose(): void {
    for (const one of [...this.geometries, ...this.materials]) one.dispose();
  }
}

/** Two points a frame, one on each side of the way. */
function ribbon(positions: Float32Array, clip: Clip, joint: number): BufferGeometry {
  const { frames } = clip;
  const at = (frame: number) => {
    const bounded = Math.max(0, Math.min(frames - 1, frame));
    return vector(positions, bounded * clip.names.length + joint);
  };
  const points = new Float32Array(6 * frames);
  const before = new Float32Array(6 * frames);
  const after = new Float32Array(6 * frames);
  const place = new Float32Array(4 * frames);
  const faces: number[] = [];
  for (let frame = 0; frame < frames; frame += 1) {
    for (const side of [0, 1]) {
      const row = 2 * frame + side;
      points.set(at(frame), 3 * row);
      before.set(at(frame - 1), 3 * row);
      after.set(at(frame + 1), 3 * row);
      place.set([frame, 2 * side - 1], 2 * row);
    }
    const row = 2 * frame;
    if (frame + 1 < frames) faces.push(row, row + 1, row + 2, row + 2, row + 1, row + 3);
  }
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(points, 3));
  geometry.setAttribute("before", new BufferAttribute(before, 3));
  geometry.setAttribute("after", new BufferAttribute(after, 3));
  geometry.setAttribute("place", new BufferAttribute(place, 2));
  geometry.setIndex(faces);
  return geometry;
}
