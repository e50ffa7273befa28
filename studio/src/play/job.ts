/** What the player needs to know of a job, a part of what the server answers. */

export interface Artifact {
  /** `motion.glb`; its ending is the format. */
  readonly name: string;
  /** A signed link, which expires. */
  readonly url: string;
  /** Bytes. */
  readonly size: number;
  /** The stage that made it, from 0. */
  readonly stage: number;
}

export interface Job {
  readonly id: string;
  /** `motion` or `mesh`. */
  readonly task: string;
  readonly state: string;
  readonly artifacts: readonly Artifact[];
  readonly request: Readonly<Record<string, unknown>>;
  readonly model: { readonly name: string; readonly version: string };
}

/** The formats in which a job's result can be had, by task. */
export const FORMATS: Readonly<Record<string, readonly string[]>> = {
  motion: ["bvh", "fbx", "glb", "npz"],
  mesh: ["glb", "obj", "ply", "stl"],
};

/** The ending of a file's name; OBJ comes with its texture, in a ZIP. */
export function endingOf(format: string): string {
  return format === "obj" ? "obj.zip" : format;
}

export function formatOf(artifact: Artifact): string {
  const name = artifact.name.toLowerCase();
  return name.endsWith(".obj.zip") ? "obj" : name.slice(name.lastIndexOf(".") + 1);
}

/** The result in one of its task's formats, the last stage's first; null while there is none. */
export function resultOf(job: Job): Artifact | null {
  const known = FORMATS[job.task] ?? [];
  const made = job.artifacts.filter((one) => known.includes(formatOf(one)));
  return made.reduce<Artifact | null>(
    (best, one) => (best === null || one.stage >= best.stage ? one : best),
    null,
  );
}

/** The file to draw: a GLB of the last stage that made anything. */
export function glbOf(job: Job): Artifact | null {
  const best = resultOf(job);
  if (best === null) return null;
  const same = job.artifacts.filter((one) => one.stage === best.stage && formatOf(one) === "glb");
  return same.at(-1) ?? null;
}

/** Changes when there is something else to draw: nothing, the shape, the textured mesh. */
export function edition(job: Job): string {
  const best = resultOf(job);
  return best === null ? "" : `${job.id}/${best.stage}/${best.name}`;
}
