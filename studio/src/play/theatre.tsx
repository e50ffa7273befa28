/** The stage on the page: its canvas, the buttons that turn it, and what is said over it. */
import { useSignal, type ReadonlySignal } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { say } from "../shell/words";
import type { Fetched } from "./assets";
import type { Job } from "./job";
import { NoWebGL, Stage, VIEWS } from "./stage";
import { SAYS } from "./texts";

export type Trouble = "nogl" | "lost" | null;

/** A stage of so many views for as long as the component is on the page. */
export function useStage(views: number, tick: (elapsed: number) => boolean) {
  const host = useRef<HTMLDivElement>(null);
  const [stage, setStage] = useState<Stage | null>(null);
  const trouble = useSignal<Trouble>(null);
  useEffect(() => {
    if (host.current === null) return;
    let made: Stage;
    try {
      const lost = (gone: boolean) => { trouble.value = gone ? "lost" : null; };
      made = new Stage(host.current, views, { tick, lost });
    } catch (error) {
      if (!(error instanceof NoWebGL)) throw error;
      trouble.value = "nogl";
      return;
    }
    setStage(made);
    return () => {
      setStage(null);
      made.dispose();
    };
  }, []);
  return { host, stage, trouble };
}

/** Keys that turn the view; whether this was one. */
export function turned(stage: Stage | null, key: string): boolean {
  const view = VIEWS[Number(key) - 1];
  if (view !== undefined) stage?.look(view);
  else if (key === "[") stage?.orbit(-Math.PI / 12, 1);
  else if (key === "]") stage?.orbit(Math.PI / 12, 1);
  else if (key === "+" || key === "=") stage?.orbit(0, 0.85);
  else if (key === "-") stage?.orbit(0, 1 / 0.85);
  else if (key === "r" || key === "R") stage?.look("free");
  else return false;
  return true;
}

/** Whether a key is meant for what has the focus, not for the player. */
export function ownKey(event: KeyboardEvent): boolean {
  const at = event.target instanceof Element ? event.target : null;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return true;
  if (at?.matches("input, select, textarea")) return true;
  return (event.key === " " || event.key === "Enter") && at?.closest("button, a, summary") != null;
}

interface TheatreProps {
  readonly host: RefObject<HTMLDivElement | null>;
  readonly stage: Stage | null;
  readonly trouble: ReadonlySignal<Trouble>;
  /** Of what is shown, told where there are two. */
  readonly names: readonly string[];
  readonly files: readonly Fetched<unknown>[];
  readonly retry: () => void;
  readonly children?: ComponentChildren;
}

export function Theatre({ host, stage, trouble, names, files, retry, children }: TheatreProps) {
  const failed = files.find((file) => file.state === "failed");
  return (
    <div class="play-theatre">
      <div
        class="play-stage" role="application" tabIndex={0} aria-label={say(SAYS.canvas)} ref={host}
      />
      {names.length > 1 && (
        <div class="play-captions">{names.map((name, at) => <p key={at}>{name}</p>)}</div>
      )}
      <div class="play-over" role="status">
        {trouble.value !== null && <p>{say(SAYS[trouble.value])}</p>}
        {failed !== undefined && (
          <p>
            {say(SAYS.failed, { why: failed.why })}
            <button type="button" onClick={retry}>{say(SAYS.again)}</button>
          </p>
        )}
        {trouble.value === null && failed === undefined && <Pending files={files} />}
      </div>
      <div class="play-tools" role="group" aria-label={say(SAYS.views)}>
        {VIEWS.map((view, at) => (
          <button
            type="button" key={view} aria-keyshortcuts={String(at + 1)}
            onClick={() => stage?.look(view)}
          >
            {say(SAYS[view])}
          </button>
        ))}
        {children}
      </div>
    </div>
  );
}

function Pending({ files }: { files: readonly Fetched<unknown>[] }) {
  if (files.some((file) => file.state === "loading")) return <p>{say(SAYS.loading)}</p>;
  if (files.every((file) => file.state === "waiting")) return <p>{say(SAYS.waiting)}</p>;
  return null;
}

/** Which of two it is. */
export function caption(job: Job): string {
  const seed = job.request["seed"];
  const model = `${job.model.name} ${job.model.version}`;
  return typeof seed === "number" ? say(SAYS.seeded, { model, seed }) : model;
}
