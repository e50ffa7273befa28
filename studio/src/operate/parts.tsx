/** What the parts of this page have in common: looking again and again, facts and lists. */
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";

import { aborted, pause, Problem } from "../api";
import { say } from "../shell/words";

const WORDS = {
  newest: { en: "The newest", zh: "最新的" },
  older: { en: "Older ones", zh: "更早的" },
};

export interface Looked<T> {
  readonly found: T | undefined;
  readonly error: unknown;
  readonly again: () => void;
}

/**
 * What `look` finds, looked at every `every` milliseconds while the page is seen. The last finding
 * stays while the server is away; who may not look is asked no more.
 */
export function useLook<T>(
  look: (stop: AbortSignal) => Promise<T>,
  every: number,
  seen?: (found: T) => void,
): Looked<T> {
  const [found, setFound] = useState<T>();
  const [error, setError] = useState<unknown>();
  const [round, setRound] = useState(0);
  useEffect(() => {
    const end = new AbortController();
    const go = async () => {
      while (!end.signal.aborted) {
        await visible(end.signal);
        try {
          const now = await look(end.signal);
          setFound(() => now);
          setError(undefined);
          seen?.(now);
        } catch (failure) {
          if (aborted(failure)) return;
          setError(failure);
          if (failure instanceof Problem && [401, 403, 404].includes(failure.status)) return;
        }
        await pause(every, end.signal);
      }
    };
    void go();
    return () => {
      end.abort();
    };
  }, [look, every, round]);
  const again = useCallback(() => {
    setRound((before) => before + 1);
  }, []);
  return { found, error, again };
}

/** Resolve while the page is seen, or when `stop` says so. */
function visible(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !stop.aborted) return;
      document.removeEventListener("visibilitychange", look);
      stop.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    stop.addEventListener("abort", look);
    look();
  });
}

/** A few facts side by side. */
export function Facts({ of }: { of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="operate-facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A table that is moved sideways where it is too wide, by keyboard too. */
export function Table(props: {
  label: string;
  /** Null over a column that needs no name. */
  heads: readonly ComponentChildren[];
  /** Rows. */
  children: ComponentChildren;
}) {
  const { label, heads, children } = props;
  return (
    <div class="operate-scroll" tabIndex={0} role="group" aria-label={label}>
      <table>
        <thead>
          <tr>
            {heads.map((head, at) =>
              head === null ? <td key={at} /> : <th key={at} scope="col">{head}</th>,
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** Leads to the next page of a list, and back to the first. */
export function Pager(props: {
  cursor: string | null;
  next: string | null | undefined;
  go: (cursor: string | null) => void;
}) {
  const { cursor, next, go } = props;
  return (
    <div class="shell-row">
      {cursor !== null && (
        <button
          type="button"
          onClick={() => {
            go(null);
          }}
        >
          {say(WORDS.newest)}
        </button>
      )}
      {next && (
        <button
          type="button"
          onClick={() => {
            go(next);
          }}
        >
          {say(WORDS.older)}
        </button>
      )}
    </div>
  );
}
