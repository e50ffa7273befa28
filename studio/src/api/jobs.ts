/** Jobs: asked for, looked at, ended; and what they made. */
import { ask, make, request } from "./request";
import { at } from "./reach";
import type { Job, JobPage, Model, State, Task } from "./types";

export interface MotionAsk {
  readonly prompt: string;
  readonly duration: number;
  readonly seed?: number;
  readonly format?: string;
  readonly model?: string;
}

export interface MeshAsk {
  readonly image: Blob;
  readonly texture: boolean;
  readonly faces?: number;
  readonly seed?: number;
  readonly format?: string;
  readonly model?: string;
}

export interface JobFilter {
  readonly state?: readonly State[];
  readonly task?: Task | null;
  readonly model?: string | null;
  /** Words that are all in the prompt. */
  readonly q?: string | null;
  readonly cursor?: string | null;
  readonly limit?: number;
}

export function makeMotion(wanted: MotionAsk, stop?: AbortSignal): Promise<Job> {
  return make<Job>("v1/motions", wanted, stop);
}

export function makeMesh(wanted: MeshAsk, stop?: AbortSignal): Promise<Job> {
  const form = new FormData();
  const { image, ...fields } = wanted;
  form.append("image", image, "picture");
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
  return make<Job>("v1/meshes", form, stop);
}

export function job(id: string, stop?: AbortSignal, quiet = false): Promise<Job> {
  return ask<Job>(`v1/jobs/${encodeURIComponent(id)}`, { stop, quiet });
}

export function jobs(filter: JobFilter = {}, stop?: AbortSignal, quiet = false): Promise<JobPage> {
  return ask<JobPage>("v1/jobs", { query: { ...filter }, stop, quiet });
}

export function cancel(id: string): Promise<Job> {
  return ask<Job>(`v1/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** Delete a job that has ended, and what it alone has made. */
export async function forget(id: string): Promise<void> {
  await request(`v1/jobs/${encodeURIComponent(id)}/forget`, { method: "POST" });
}

export async function models(stop?: AbortSignal): Promise<readonly Model[]> {
  return (await ask<{ items: readonly Model[] }>("v1/models", { stop })).items;
}

/** Where an artifact is: one of the server's own store at the address that this page came from. */
export function reachableLink(url: string): string {
  const found = new URL(url, document.baseURI);
  const own = /\/(v1\/artifacts\/.*)$/.exec(found.pathname);
  return own ? at(own[1] ?? "") + found.search : found.href;
}

/** What the job made, in another format, made of it now. */
export async function converted(id: string, format: string, stop?: AbortSignal): Promise<Blob> {
  const path = `v1/jobs/${encodeURIComponent(id)}/artifacts/${encodeURIComponent(format)}`;
  return (await request(path, { stop })).blob();
}
