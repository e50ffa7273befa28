/** What would come of a request, before it is made; servers that cannot tell are asked once. */
import { ask } from "./request";
import { Problem } from "./problem";
import type { MeshAsk, MotionAsk } from "./jobs";
import type { Job } from "./types";

/** What a request would lead to. */
export interface Preview {
  readonly model: Job["model"] | null;
  readonly routed: string | null;
  readonly cached: boolean;
  readonly joined: boolean;
  /** Seconds from now. */
  readonly eta: {
    readonly start: number;
    readonly seconds: number;
    readonly ahead: number;
    readonly measured: boolean;
  } | null;
  readonly cost: { readonly amount: number; readonly currency: string } | null;
  /** Why it would be refused. */
  readonly problems: readonly PreviewProblem[];
}

export interface PreviewProblem {
  readonly field: string;
  readonly error_code: string;
  readonly detail: string;
  readonly problem: string;
  readonly allowed: string;
}

export interface Understood {
  /** The piece of the prompt. */
  readonly text: string;
  readonly action: string;
  readonly manner: readonly string[];
  readonly count: number | null;
  readonly seconds: number | null;
}

export interface MotionPreview extends Preview {
  readonly words: { readonly count: number; readonly limit: number; readonly unit: string } | null;
  readonly understood: readonly Understood[] | null;
  readonly unknown: readonly string[];
}

export interface MeshPreview extends Preview {
  readonly mask: {
    /** PNG in base64: white is the object. */
    readonly png: string;
    readonly confidence: number;
    readonly advice: string;
  } | null;
}

const missing = new Set<string>();

/** Null where the server has no such route. Throws Problem, as the request itself would. */
export function previewMotion(
  wanted: MotionAsk,
  stop?: AbortSignal,
): Promise<MotionPreview | null> {
  return detected("v1/motions/preview", wanted, stop);
}

/** The same of a mesh. */
export function previewMesh(wanted: MeshAsk, stop?: AbortSignal): Promise<MeshPreview | null> {
  const form = new FormData();
  const { image, ...fields } = wanted;
  form.append("image", image, "picture");
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
  return detected("v1/meshes/preview", form, stop);
}

async function detected<T>(path: string, body: unknown, stop?: AbortSignal): Promise<T | null> {
  if (missing.has(path)) return null;
  try {
    return await ask<T>(path, { method: "POST", body, stop });
  } catch (error) {
    if (!(error instanceof Problem) || (error.status !== 404 && error.status !== 405)) throw error;
    missing.add(path);
    return null;
  }
}
