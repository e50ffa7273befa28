/** Reading binary glTF 2.0 (ISO/IEC 12113:2022), as far as the server writes it. */

export class BadGlb extends Error {}

export interface Node {
  readonly name?: string;
  readonly children?: readonly number[];
  readonly translation?: readonly number[];
  readonly extras?: { readonly tip?: readonly number[] };
}

export interface Primitive {
  readonly attributes: Readonly<Record<string, number>>;
  readonly indices?: number;
  readonly material?: number;
}

export interface Material {
  readonly pbrMetallicRoughness?: {
    readonly baseColorFactor?: readonly number[];
    readonly baseColorTexture?: { readonly index: number };
    readonly metallicFactor?: number;
    readonly roughnessFactor?: number;
  };
}

interface Accessor {
  readonly bufferView: number;
  readonly byteOffset?: number;
  readonly componentType: number;
  readonly count: number;
  readonly type: string;
}

interface Channel {
  readonly sampler: number;
  readonly target: { readonly node: number; readonly path: string };
}

export interface Animation {
  readonly channels: readonly Channel[];
  readonly samplers: readonly { readonly input: number; readonly output: number }[];
  readonly extras?: { readonly fps?: number };
}

interface Document {
  readonly nodes?: readonly Node[];
  readonly meshes?: readonly { readonly primitives: readonly Primitive[] }[];
  readonly materials?: readonly Material[];
  readonly skins?: readonly {
    readonly joints: readonly number[];
    readonly inverseBindMatrices?: number;
  }[];
  readonly animations?: readonly Animation[];
  readonly accessors?: readonly Accessor[];
  readonly bufferViews?: readonly { readonly byteOffset?: number; readonly byteLength: number }[];
  readonly textures?: readonly { readonly source?: number }[];
  readonly images?: readonly { readonly bufferView?: number; readonly mimeType?: string }[];
}

export interface Glb {
  readonly document: Document;
  readonly binary: Uint8Array<ArrayBuffer>;
}

export type Numbers = Float32Array | Uint8Array | Uint16Array | Uint32Array;

const MAGIC = 0x46546c67;
const JSON_CHUNK = 0x4e4f534a;
const WIDTHS: Readonly<Record<string, number>> = {
  SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT4: 16,
};

/** The JSON and the binary chunk of a file. Throws BadGlb for other bytes. */
export function opened(data: ArrayBuffer): Glb {
  const view = new DataView(data);
  if (data.byteLength < 28 || view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== 2) {
    throw new BadGlb("these bytes are no binary glTF 2.0");
  }
  const size = view.getUint32(12, true);
  const start = 20 + size + 8;
  if (view.getUint32(16, true) !== JSON_CHUNK || start > data.byteLength) {
    throw new BadGlb("the file is cut");
  }
  const length = view.getUint32(20 + size, true);
  if (start + length > data.byteLength) throw new BadGlb("the file is cut");
  const text = new TextDecoder().decode(new Uint8Array(data, 20, size));
  return {
    document: JSON.parse(text) as Document,
    binary: new Uint8Array(data, start, length),
  };
}

/** The numbers of an accessor, tightly packed. */
export function numbers(glb: Glb, index: number | undefined): Numbers {
  const accessor = at(glb.document.accessors, index);
  const view = at(glb.document.bufferViews, accessor.bufferView);
  const from = glb.binary.byteOffset + (view.byteOffset ?? 0) + (accessor.byteOffset ?? 0);
  const count = accessor.count * (WIDTHS[accessor.type] ?? 0);
  const { buffer } = glb.binary;
  switch (accessor.componentType) {
    case 5121:
      return new Uint8Array(buffer, from, count);
    case 5123:
      return new Uint16Array(buffer, from, count);
    case 5125:
      return new Uint32Array(buffer, from, count);
    case 5126:
      return new Float32Array(buffer, from, count);
    default:
      throw new BadGlb(`numbers of kind ${accessor.componentType}`);
  }
}

/** The bytes of a picture inside the file, with its media type; null where there is none. */
export function picture(glb: Glb, texture: number | undefined): Blob | null {
  if (texture === undefined) return null;
  const image = at(glb.document.images, at(glb.document.textures, texture).source);
  const view = at(glb.document.bufferViews, image.bufferView);
  const from = view.byteOffset ?? 0;
  const bytes = glb.binary.subarray(from, from + view.byteLength);
  return new Blob([bytes], { type: image.mimeType ?? "image/jpeg" });
}

/** An entry that the file refers to. */
export function at<T>(list: readonly T[] | undefined, index: number | undefined): T {
  const found = index === undefined ? undefined : list?.[index];
  if (found === undefined) throw new BadGlb("the file refers to what is not in it");
  return found;
}
