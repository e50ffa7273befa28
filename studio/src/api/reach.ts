/** Whether the server answers. */
import { signal } from "@preact/signals";

import { backOff, pause } from "./pause";

export const reachable = signal(true);

/** Where the page was loaded from, a path before it included. */
export function at(path: string): string {
  return new URL(path.replace(/^\//, ""), document.baseURI.replace(/[?#].*$/, "")).href;
}

window.addEventListener("offline", () => {
  lost();
});

let looking = false;

/** Note that a request did not get through, and look until one does. */
export function lost(): void {
  reachable.value = false;
  if (!looking) void look();
}

export function found(): void {
  reachable.value = true;
}

/** Resolve once the server answers. */
export function reached(stop?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const quit = reachable.subscribe((now) => {
      if (now || stop?.aborted) done();
    });
    function done() {
      stop?.removeEventListener("abort", done);
      queueMicrotask(() => {
        quit();
      });
      resolve();
    }
    stop?.addEventListener("abort", done);
  });
}

async function look(): Promise<void> {
  looking = true;
  for (let failures = 1; !reachable.value; failures += 1) {
    const wake = new AbortController();
    const awake = () => {
      wake.abort();
    };
    window.addEventListener("online", awake, { once: true });
    await pause(Math.min(backOff(failures), 4_000), wake.signal);
    window.removeEventListener("online", awake);
    try {
      if ((await fetch(at("health"), { cache: "no-store" })).ok) found();
    } catch {
      // Not yet.
    }
  }
  looking = false;
}
