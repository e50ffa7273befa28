/** A mesh, textured or not, and the ways of looking at it. */
import {
  Box3, BufferAttribute, BufferGeometry, Color, Group, LineBasicMaterial, LineSegments, Mesh,
  MeshBasicMaterial, MeshNormalMaterial, MeshStandardMaterial, SRGBColorSpace, Texture,
  Vector3, WireframeGeometry, type Material,
} from "three";

import type { Exhibit } from "./exhibit";
import { BadGlb, at, numbers, picture, type Glb } from "./glb";

export const LOOKS = ["textured", "plain", "albedo", "normals", "wireframe"] as const;
export type Look = (typeof LOOKS)[number];

export interface Facts {
  readonly vertices: number;
  readonly faces: number;
  /** Along x, y and z. */
  readonly extents: readonly [number, number, number];
  readonly textured: boolean;
}

const CLAY = new Color(0.62, 0.62, 0.64);
const EDGES = 0x1d2b4f;

export class Model implements Exhibit {
  readonly root = new Group();
  readonly facts: Facts;
  readonly radius: number;
  readonly middle: number;
  private readonly turning = new Group();
  private readonly body: Mesh<BufferGeometry, Material>;
  private readonly materials: Readonly<Record<Exclude<Look, "wireframe">, Material>>;
  private edges: LineSegments<WireframeGeometry, LineBasicMaterial> | null = null;

  private constructor(geometry: BufferGeometry, private readonly texture: Texture | null) {
    const bounds = new Box3().setFromBufferAttribute(
      geometry.getAttribute("position") as BufferAttribute,
    );
    const size = bounds.getSize(new Vector3());
    const centre = bounds.getCenter(new Vector3());
    this.radius = Math.max(1e-3, size.length() / 2);
    this.middle = size.y / 2;
    this.facts = {
      vertices: distinct(geometry.getAttribute("position").array as Float32Array),
      faces: (geometry.getIndex()?.count ?? 0) / 3,
      extents: [size.x, size.y, size.z],
      textured: texture !== null,
    };
    const plain = new MeshStandardMaterial({ color: CLAY, roughness: 0.8 });
    this.materials = {
      plain,
      normals: new MeshNormalMaterial(),
      textured: texture ? new MeshStandardMaterial({ map: texture, roughness: 0.85 }) : plain,
      albedo: texture ? new MeshBasicMaterial({ map: texture }) : plain,
    };
    this.body = new Mesh<BufferGeometry, Material>(geometry, this.materials.textured);
    this.body.castShadow = true;
    this.body.receiveShadow = true;
    // On the ground, turning about its own middle.
    this.body.position.set(-centre.x, -bounds.min.y, -centre.z);
    this.turning.add(this.body);
    this.root.add(this.turning);
  }

  /** Throws BadGlb where the file holds no mesh. */
  static async from(glb: Glb): Promise<Model> {
    const primitive = at(at(glb.document.meshes, 0).primitives, 0);
    const geometry = new BufferGeometry();
    for (const [name, from, width] of [
      ["position", "POSITION", 3], ["normal", "NORMAL", 3], ["uv", "TEXCOORD_0", 2],
    ] as const) {
      const accessor = primitive.attributes[from];
      if (accessor === undefined) continue;
      geometry.setAttribute(name, new BufferAttribute(numbers(glb, accessor), width));
    }
    if (!geometry.hasAttribute("position")) throw new BadGlb("the mesh has no points");
    geometry.setIndex(new BufferAttribute(numbers(glb, primitive.indices), 1));
    if (!geometry.hasAttribute("normal")) geometry.computeVertexNormals();
    const look = glb.document.materials?.[primitive.material ?? -1]?.pbrMetallicRoughness;
    return new Model(geometry, await textureOf(picture(glb, look?.baseColorTexture?.index)));
  }

  look(as: Look): void {
    this.body.material = this.materials[as === "wireframe" ? "plain" : as];
    if (as === "wireframe" && this.edges === null) {
      // As lines over the faces, so that those behind stay hidden.
      const material = new LineBasicMaterial({ color: EDGES, transparent: true, opacity: 0.5 });
      this.edges = new LineSegments(new WireframeGeometry(this.body.geometry), material);
      this.edges.position.copy(this.body.position);
      this.turning.add(this.edges);
      const { plain } = this.materials;
      plain.polygonOffset = true;
      plain.polygonOffsetFactor = plain.polygonOffsetUnits = 1;
    }
    if (this.edges !== null) this.edges.visible = as === "wireframe";
  }

  turn(radians: number): void {
    this.turning.rotation.y = radians;
  }

  anchor(into: Vector3): Vector3 {
    return into.set(0, 0, 0);
  }

  before(): void {
    // Nothing of it depends on the view.
  }

  dispose(): void {
    this.body.geometry.dispose();
    for (const material of Object.values(this.materials)) material.dispose();
    this.edges?.geometry.dispose();
    this.edges?.material.dispose();
    this.texture?.dispose();
    if (this.texture?.image instanceof ImageBitmap) this.texture.image.close();
  }
}

async function textureOf(image: Blob | null): Promise<Texture | null> {
  if (image === null) return null;
  // Colours as they are in the file: three.js converts them itself.
  const bitmap = await createImageBitmap(image, { colorSpaceConversion: "none" });
  const texture = new Texture(bitmap);
  texture.colorSpace = SRGBColorSpace;
  texture.flipY = false;
  texture.anisotropy = 4;
  texture.needsUpdate = true;
  return texture;
}

/** Points that differ: a seam of the texture splits vertices that are one. */
function distinct(points: Float32Array): number {
  const bits = new Uint32Array(points.buffer, points.byteOffset, points.length);
  const seen = new Set<string>();
  for (let at = 0; at < bits.length; at += 3) {
    seen.add(String.fromCharCode(...halves(bits[at]), ...halves(bits[at + 1]), ...halves(bits[at + 2])));
  }
  return seen.size;
}

function halves(bits = 0): [number, number] {
  return [bits >>> 16, bits & 0xffff];
}
