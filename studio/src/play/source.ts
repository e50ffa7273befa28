/** What the player fetches: the file to draw, the quality report, other formats. */
import { ask, converted, job as again, reachableLink } from "../api";

import type { Report } from "./findings";
import { opened, type Glb } from "./glb";
import { glbOf, type Artifact, type Job } from "./job";

/** Refused for a link that has expired, or whose file has moved. */
const STALE = [403, 404, 410];

/** The job's result as GLB; by its signed link where there is one that this page may follow. */
export async function glbFrom(job: Job, stop: AbortSignal): Promise<Glb> {
  const artifact = glbOf(job);
  const linked = artifact && (await linkedFrom(job, artifact, stop));
  return opened(linked ?? (await (await converted(job.id, "glb", stop)).arrayBuffer()));
}

/** Null where links lead to another host, which this page does not ask, or none is good. */
async function linkedFrom(
  job: Job, artifact: Artifact, stop: AbortSignal,
): Promise<ArrayBuffer | null> {
  const first = await followed(artifact, stop);
  if (first !== "stale") return first;
  const renewed = (await again(job.id, stop)).artifacts.find((one) => one.name === artifact.name);
  const second = renewed === undefined ? null : await followed(renewed, stop);
  return second === "stale" ? null : second;
}

async function followed(
  artifact: Artifact, stop: AbortSignal,
): Promise<ArrayBuffer | "stale" | null> {
  const link = reachableLink(artifact.url);
  if (new URL(link).origin !== window.location.origin) return null;
  const answer = await fetch(link, { signal: stop, credentials: "omit" });
  if (STALE.includes(answer.status)) return "stale";
  return answer.ok ? answer.arrayBuffer() : null;
}

/** What the quality checks say of it. */
export function reportOf(job: Job, stop: AbortSignal): Promise<Report> {
  return ask<Report>("validate", { method: "POST", body: { job_id: job.id }, stop });
}
