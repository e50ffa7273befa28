/** Jobs as they are now: each is told of by a stream of events, or looked at where streams are short. */
import { computed, effect, signal } from "@preact/signals";

import {
  aborted,
  ended,
  follow,
  job as fetched,
  jobs,
  pause,
  Problem,
  reachable,
  type Job,
} from "../api";

/** A job, and when it is expected to be done by this machine's clock, in ms; null for unknown. */
export interface Known {
  readonly job: Job;
  readonly due: number | null;
  /** Since this page was opened, it was seen under way. */
  readonly seen: boolean;
}

/** Browsers open six connections to a server; other tabs and the page itself need some. */
const STREAMS = 3;
/** Milliseconds between looks at jobs without a stream, and at whether there are new ones. */
const LOOK = 2_000;
const LOOK_AROUND = 12_000;
/** Jobs looked at one by one, for their place in the queue. */
const CLOSELY = 8;

export const known = signal<ReadonlyMap<string, Known>>(new Map());

const active = computed(() =>
  [...known.value.values()].filter((each) => !ended(each.job)).map((each) => each.job),
);

/** How many jobs have not ended. */
export const waiting = computed(() => active.value.length);

/** This machine's clock, in ms, by the second, while a job is under way. */
export const now = signal(Date.now());

/** What a screen reader is told: the job that ended last. */
export const lately = signal<Job | null>(null);

const pinned = new Map<string, number>();
const streams = new Map<string, AbortController>();

/** Take note of how a job is. */
export function learn(job: Job): void {
  const before = known.value.get(job.id);
  const seen = !ended(job) || (before?.seen ?? false);
  const eta = job.eta === null ? null : Date.now() + job.eta.seconds * 1000;
  // A list tells no expected time; what was told before still counts.
  const due = ended(job) ? null : (eta ?? before?.due ?? null);
  const kept = job.eta === null && !ended(job) ? { ...job, eta: before?.job.eta ?? null } : job;
  if (before && !ended(before.job) && ended(job)) lately.value = job;
  // An answer that was under way when the job ended must not bring it back.
  if (before && ended(before.job) && !ended(job) && job.attempts <= before.job.attempts) return;
  known.value = new Map(known.value).set(job.id, { job: kept, due, seen });
}

/** Nothing more is known of a job that was deleted. */
export function forgotten(id: string): void {
  const left = new Map(known.value);
  left.delete(id);
  known.value = left;
}

/** Several, with one change of what is shown. */
function learnAll(found: readonly Job[]): void {
  for (const each of found) learn(each);
}

/** Keep a job in sight until the function that this returns is called. Throws Problem. */
export function pin(id: string): () => void {
  pinned.set(id, (pinned.get(id) ?? 0) + 1);
  allot();
  return () => {
    const left = (pinned.get(id) ?? 1) - 1;
    if (left > 0) pinned.set(id, left);
    else pinned.delete(id);
    allot();
  };
}

/** Look at all that is under way. Throws Problem, Unreachable. */
export async function lookAround(stop?: AbortSignal, quiet = false): Promise<void> {
  const page = await jobs({ state: ["queued", "running"], limit: 200 }, stop, quiet);
  learnAll(page.items);
  const listed = new Set(page.items.map((each) => each.id));
  // Of what is no longer listed, something became.
  const gone = page.next_cursor === null ? active.value.filter((each) => !listed.has(each.id)) : [];
  for (const each of gone.slice(0, 40)) await look(each.id, stop);
}

async function look(id: string, stop?: AbortSignal): Promise<void> {
  try {
    learn(await fetched(id, stop, true));
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error;
    const left = new Map(known.value);
    left.delete(id);
    known.value = left;
  }
}

/** Give the streams to the jobs that are looked at, then to those that are next to end. */
function allot(): void {
  const hidden = document.visibilityState === "hidden";
  const order = [...active.value].sort(
    (a, b) =>
      Number(pinned.has(b.id)) - Number(pinned.has(a.id)) ||
      Number(b.state === "running") - Number(a.state === "running") ||
      a.id.localeCompare(b.id),
  );
  const chosen = new Set(hidden ? [] : order.slice(0, STREAMS).map((each) => each.id));
  for (const [id, stop] of streams) {
    if (chosen.has(id)) continue;
    stop.abort();
    streams.delete(id);
  }
  for (const id of chosen) {
    if (streams.has(id)) continue;
    const stop = new AbortController();
    streams.set(id, stop);
    void listen(id, stop.signal).finally(() => {
      if (streams.get(id) === stop) streams.delete(id);
    });
  }
}

const LAST = new Set(["succeeded", "failed", "cancelled", "expired"]);

async function listen(id: string, stop: AbortSignal): Promise<void> {
  try {
    const path = `v1/jobs/${id}/events`;
    for await (const told of follow(path, (event) => LAST.has(event.name), stop)) {
      if (told.name === "progress") advance(id, told.data);
      else await look(id, stop);
    }
  } catch (error) {
    // The looks that go on without a stream tell of whatever is wrong.
    if (!aborted(error) && !(error instanceof Error)) throw error;
  }
}

function advance(id: string, told: Readonly<Record<string, unknown>>): void {
  const before = known.value.get(id);
  if (!before || ended(before.job)) return;
  const { stage, progress, phase } = told as { stage: number; progress: number; phase: string };
  const { job } = before;
  if (stage < job.stage.index) return;
  const next: Job = {
    ...job,
    state: "running",
    phase,
    progress: Math.min(1, (stage + progress) / job.stage.count),
    stage: { ...job.stage, index: stage },
  };
  known.value = new Map(known.value).set(id, { ...before, job: next });
}

/** Look at what has no stream, as long as the page is there. */
export async function watchAll(stop: AbortSignal): Promise<void> {
  let rested = 0;
  document.addEventListener("visibilitychange", allot, { signal: stop });
  const quit = effect(() => {
    if (active.value.length > 0 || streams.size > 0) queueMicrotask(allot);
  });
  const clock = setInterval(() => {
    if (active.value.length > 0) now.value = Date.now();
  }, 1_000);
  stop.addEventListener("abort", () => {
    quit();
    clearInterval(clock);
  });
  while (!stop.aborted) {
    await pause(LOOK, stop);
    rested += LOOK;
    if (document.visibilityState === "hidden" || !reachable.value) continue;
    const rest = active.value.filter((each) => !streams.has(each.id));
    if (rest.length === 0 && rested < LOOK_AROUND) continue;
    rested = 0;
    try {
      await lookAround(stop, true);
      for (const each of rest.slice(0, CLOSELY)) await look(each.id, stop);
    } catch {
      // The next look tells, and the frame says when the server is away.
    }
  }
}
