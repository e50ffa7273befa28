/** What will come of what is written, asked while it is written. */
import { useEffect, useState } from "preact/hooks";

import { aborted, pause } from "../api";

/** Milliseconds of rest before it is asked. */
const REST = 350;

export interface Reading<T> {
  readonly told: T | null;
  readonly error: unknown;
  /** Whether another answer is on its way. */
  readonly asking: boolean;
}

/**
 * The answer to the latest question, asked once the writer rests; none while `ask` is null.
 * `question` changes with it.
 */
export function useReading<T>(
  question: string,
  ask: ((stop: AbortSignal) => Promise<T | null>) | null,
): Reading<T> {
  const [reading, setReading] = useState<Reading<T>>({ told: null, error: null, asking: false });
  const nothing = ask === null;
  useEffect(() => {
    if (ask === null) {
      setReading({ told: null, error: null, asking: false });
      return;
    }
    const stop = new AbortController();
    setReading((before) => ({ ...before, asking: true }));
    pause(REST, stop.signal)
      .then(() => {
        stop.signal.throwIfAborted();
        return ask(stop.signal);
      })
      .then((told) => {
        setReading({ told, error: null, asking: false });
      })
      .catch((error: unknown) => {
        if (!aborted(error)) setReading({ told: null, error, asking: false });
      });
    return () => {
      stop.abort();
    };
    // `ask` is another function at each drawing; the question says whether it asks anew.
  }, [question, nothing]);
  return reading;
}
