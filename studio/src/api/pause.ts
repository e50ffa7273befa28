/** Waiting between tries. */

const FIRST = 500;
const LONGEST = 15_000;

/**
 * Milliseconds before the try after `failures` in a row: doubling, and drawn from the upper half,
 * so that pages which lost the same server do not all come back at once.
 */
export function backOff(failures: number, random: () => number = Math.random): number {
  const most = Math.min(LONGEST, FIRST * 2 ** Math.max(0, failures - 1));
  return most * (0.5 + random() / 2);
}

/** Resolve after `ms`, or at once when `stop` says so. */
export function pause(ms: number, stop?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (stop?.aborted) done();
    else stop?.addEventListener("abort", done);
  });
}
