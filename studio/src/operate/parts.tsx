/** What the parts of this page have in common: looking again and again, and asking before doing. */
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";

import { aborted, pause, Problem } from "../api";
import { Dialog } from "../shell/dialog";
import { Failure } from "../shell/failure";
import { say } from "../shell/words";

const WORDS = {
  leave: { en: "Cancel", zh: "取消" },
  doing: { en: "One moment …", zh: "请稍候…" },
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

export interface Question {
  /** What would be done, as its button says. */
  readonly act: string;
  /** What it would mean. */
  readonly means: string;
  readonly grave?: boolean;
  readonly run: () => Promise<unknown>;
}

/** Asks before something is done, and stays when it fails. */
export function Confirm({ of, leave }: { of: Question; leave: (done: boolean) => void }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const go = () => {
    setBusy(true);
    setError(undefined);
    of.run().then(
      () => {
        leave(true);
      },
      (failure: unknown) => {
        setBusy(false);
        setError(failure);
      },
    );
  };
  return (
    <Dialog
      label={of.act}
      leave={() => {
        if (!busy) leave(false);
      }}
    >
      <article>
        <h2>{of.act}</h2>
        <p>{of.means}</p>
        {error !== undefined && <Failure error={error} />}
        <div class="shell-row shell-end">
          <button
            type="button"
            disabled={busy}
            onClick={() => {
              leave(false);
            }}
          >
            {say(WORDS.leave)}
          </button>
          <button
            type="button"
            class={of.grave ? "operate-grave" : "shell-primary"}
            disabled={busy}
            onClick={go}
          >
            {busy ? say(WORDS.doing) : of.act}
          </button>
        </div>
      </article>
    </Dialog>
  );
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
