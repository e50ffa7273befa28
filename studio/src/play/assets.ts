/** The files of a player, fetched again when there is something newer to show. */
import { useEffect, useState } from "preact/hooks";

import { aborted } from "../api";
import { clipOf, type Clip } from "./clip";
import { findingsOf, type Finding } from "./findings";
import type { Glb } from "./glb";
import { edition, type Job } from "./job";
import { glbFrom, reportOf } from "./source";

export type Fetched<T> =
  | { readonly state: "waiting" | "loading" }
  | { readonly state: "failed"; readonly why: string }
  | { readonly state: "here"; readonly value: T };

const WAITING = { state: "waiting" } as const;

/** The GLB of a job. What is shown stays until what takes its place has come. */
export function useGlb(job: Job | undefined, attempt: number): Fetched<Glb> {
  return useFetched(job, attempt, glbFrom);
}

export interface Moving {
  readonly glb: Glb;
  readonly clip: Clip;
}

/** The same of a motion, with the motion in it. */
export function useMotion(job: Job | undefined, attempt: number): Fetched<Moving> {
  return useFetched(job, attempt, motionFrom);
}

async function motionFrom(job: Job, stop: AbortSignal): Promise<Moving> {
  const glb = await glbFrom(job, stop);
  return { glb, clip: clipOf(glb) };
}

/** What the quality checks found in it. */
export function useFindings(
  job: Job | undefined, attempt: number,
): Fetched<readonly Finding[]> {
  return useFetched(job, attempt, judged);
}

async function judged(job: Job, stop: AbortSignal): Promise<readonly Finding[]> {
  return findingsOf(await reportOf(job, stop));
}

function useFetched<T>(
  job: Job | undefined, attempt: number, fetched: (job: Job, stop: AbortSignal) => Promise<T>,
): Fetched<T> {
  const wanted = job === undefined ? "" : edition(job);
  const [kept, keep] = useState<{ id: string; found: Fetched<T> }>({ id: "", found: WAITING });
  const id = job?.id ?? "";
  useEffect(() => {
    if (job === undefined || wanted === "") return;
    const stop = new AbortController();
    keep((old) => (old.id === id && old.found.state === "here" ? old : loading(id)));
    fetched(job, stop.signal).then(
      (value) => { if (!stop.signal.aborted) keep({ id, found: { state: "here", value } }); },
      (error: unknown) => {
        if (stop.signal.aborted || aborted(error)) return;
        const why = error instanceof Error ? error.message : String(error);
        keep({ id, found: { state: "failed", why } });
      },
    );
    return () => { stop.abort(); };
    // A job is told anew with every progress; only another edition is another file.
  }, [wanted, attempt]);
  return wanted === "" ? WAITING : kept.id === id ? kept.found : { state: "loading" };
}

function loading(id: string) {
  return { id, found: { state: "loading" } } as const;
}
