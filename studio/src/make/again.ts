/** Asking for the same once more. */
import { makeMesh, makeMotion, type Job, type MeshAsk, type MotionAsk } from "../api";

/** Pictures that were sent from this page; the server keeps them for itself. */
const pictures = new Map<string, Blob>();
const MOST = 20;

export function remember(id: string, picture: Blob): void {
  pictures.set(id, picture);
  const oldest = pictures.keys().next();
  if (pictures.size > MOST && !oldest.done) pictures.delete(oldest.value);
}

/** Whether everything that the job was made of is at hand. */
export function repeatable(job: Job): boolean {
  return job.task === "motion" || pictures.has(job.id);
}

/** The same with another seed. */
export async function again(job: Job): Promise<Job> {
  const { prompt, duration, format, texture, faces } = job.request;
  const shared = { ...(format ? { format } : {}), model: job.model.name };
  if (job.task === "motion") {
    const wanted: MotionAsk = { prompt: prompt ?? "", duration: duration ?? 4, ...shared };
    return makeMotion(wanted);
  }
  const image = pictures.get(job.id);
  if (image === undefined) throw new Error("the picture is not at hand");
  const wanted: MeshAsk = {
    image,
    texture: texture ?? true,
    ...(faces ? { faces } : {}),
    ...shared,
  };
  const made = await makeMesh(wanted);
  remember(made.id, image);
  return made;
}
