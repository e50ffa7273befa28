/** Sending a request once, and how that goes. */
import { useEffect, useRef, useState } from "preact/hooks";

import { aborted, reachable, type Job } from "../api";
import { say } from "../shell/words";

const WORDS = {
  sending: { en: "Sending …", zh: "正在提交…" },
  waiting: {
    en: "Waiting for the server; it will be sent once, and only once.",
    zh: "正在等待服务器，恢复后只会提交一次。",
  },
  stop: { en: "Stop", zh: "停止" },
};

export interface Sending {
  readonly busy: boolean;
  readonly error: unknown;
  readonly send: () => void;
  readonly stop: () => void;
}

export function useSending(
  make: (stop: AbortSignal) => Promise<Job>,
  onMade: (job: Job) => void,
): Sending {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const under = useRef<AbortController | null>(null);
  useEffect(
    () => () => {
      under.current?.abort();
    },
    [],
  );
  const stop = () => {
    under.current?.abort();
    under.current = null;
    setBusy(false);
  };
  const send = () => {
    if (under.current) return;
    const own = new AbortController();
    under.current = own;
    setBusy(true);
    setError(undefined);
    make(own.signal)
      .then(onMade)
      .catch((caught: unknown) => {
        if (!aborted(caught)) setError(caught);
      })
      .finally(() => {
        if (under.current === own) stop();
      });
  };
  return { busy, error, send, stop };
}

export function Send({ sending, label, disabled }: {
  sending: Sending;
  label: string;
  disabled: boolean;
}) {
  const { busy, stop } = sending;
  return (
    <div class="shell-row">
      <button class="shell-primary make-send" disabled={disabled || busy}>
        {busy ? say(WORDS.sending) : label}
      </button>
      {busy && !reachable.value && (
        <>
          <span role="status">{say(WORDS.waiting)}</span>
          <button type="button" onClick={stop}>
            {say(WORDS.stop)}
          </button>
        </>
      )}
    </div>
  );
}
