/** Asking before something is done that cannot be taken back. */
import { useState } from "preact/hooks";

import { Dialog } from "./dialog";
import { Failure } from "./failure";
import { say } from "./words";

const WORDS = {
  leave: { en: "Cancel", zh: "取消" },
  doing: { en: "One moment …", zh: "请稍候…" },
};

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
            class={of.grave ? "shell-grave" : "shell-primary"}
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
