/** One job: how far it is, what it made, why it failed. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { cancel, ended, Problem, type Job } from "../api";
import { again, repeatable } from "../make/again";
import { adviceOn, Failure } from "../shell/failure";
import { address } from "../shell/route";
import { say } from "../shell/words";
import { leftUntil, momentOf, placeOf, spell, stageOf, stateName, TASKS, titleOf } from "./describe";
import { learn, now, type Known } from "./store";

const WORDS = {
  progress: { en: "Progress of {title}", zh: "{title} 的进度" },
  cancel: { en: "Cancel", zh: "取消" },
  cancelThis: { en: "Cancel {title}", zh: "取消 {title}" },
  play: { en: "Play", zh: "播放" },
  look: { en: "Look at it", zh: "查看" },
  preview: { en: "See the shape so far", zh: "预览几何" },
  open: { en: "{what}: {title}", zh: "{what}：{title}" },
  again: { en: "Another seed", zh: "换个种子再来" },
  againThis: { en: "Again with another seed: {title}", zh: "换个种子再来：{title}" },
  took: { en: "made in {time}", zh: "用时 {time}" },
  cached: { en: "was there already", zh: "来自缓存" },
  attempt: { en: "attempt {n}", zh: "第 {n} 次尝试" },
  seed: { en: "seed {seed}", zh: "种子 {seed}" },
  simulated: { en: "simulated", zh: "模拟" },
  platform: { en: "This is the server's fault, not yours.", zh: "这是服务器的问题，与您的输入无关。" },
};

/** A line of facts under a job's title. */
export function Facts({ job }: { job: Job }) {
  const { duration, seed } = job.request;
  const facts = [
    say(TASKS[job.task]),
    job.model.name + (job.model.simulated ? ` (${say(WORDS.simulated)})` : ""),
    duration === undefined ? "" : spell(duration),
    seed === undefined ? "" : say(WORDS.seed, { seed }),
    momentOf(job.created_at),
  ];
  return <p class="watch-facts">{facts.filter(Boolean).join(" · ")}</p>;
}

/** The state of a job, with its progress while it has one. */
export function Progress({ of }: { of: Known }) {
  const { job, due } = of;
  if (ended(job)) return <Ending job={job} />;
  const words = [
    stateName(job.state),
    placeOf(job),
    stageOf(job),
    job.state === "running" ? job.phase : "",
    job.attempts > 1 ? say(WORDS.attempt, { n: job.attempts }) : "",
    leftUntil(due, now.value),
  ];
  return (
    <div class="watch-progress">
      <progress
        max={1}
        value={job.progress}
        aria-label={say(WORDS.progress, { title: titleOf(job) })}
      />
      <p>{words.filter(Boolean).join(" · ")}</p>
    </div>
  );
}

function Ending({ job }: { job: Job }) {
  const took =
    job.started_at && job.finished_at
      ? Math.max(0.1, (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000)
      : null;
  const made = job.cached
    ? say(WORDS.cached)
    : took !== null
      ? say(WORDS.took, { time: spell(Math.round(took * 10) / 10) })
      : "";
  return (
    <>
      <p class={`watch-state watch-${job.state}`}>
        {stateName(job.state)}
        {job.state === "succeeded" && made && <small> · {made}</small>}
      </p>
      {job.error && job.state !== "succeeded" && <Reason job={job} />}
    </>
  );
}

function Reason({ job }: { job: Job }) {
  if (!job.error) return null;
  const { error_code: code, detail, fault } = job.error;
  const advice = adviceOn(code);
  return (
    <div class="watch-reason">
      <p>{detail}</p>
      {advice !== null && <p>{advice}</p>}
      {fault === "platform" && <p>{say(WORDS.platform)}</p>}
      <p>
        <code>{code}</code>
      </p>
    </div>
  );
}

/** What can be done with a job. `linked`: whether to lead to its own page. */
export function Actions({ job, linked, onMade, children }: {
  job: Job;
  linked: boolean;
  onMade?: (made: Job) => void;
  children?: ComponentChildren;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const title = titleOf(job);
  const act = (what: () => Promise<Job>, then?: (made: Job) => void) => {
    setBusy(true);
    setError(undefined);
    what()
      .then((made) => {
        learn(made);
        then?.(made);
      })
      .catch((caught: unknown) => {
        // It ended before it could be cancelled: that is what the list will show.
        if (!(caught instanceof Problem && caught.code === "JOB_FINISHED")) setError(caught);
      })
      .finally(() => {
        setBusy(false);
      });
  };
  const play =
    job.state === "succeeded"
      ? say(job.task === "motion" ? WORDS.play : WORDS.look)
      : job.artifacts.length > 0
        ? say(WORDS.preview)
        : "";
  return (
    <>
      <div class="shell-row">
        {linked && play && (
          <a
            class="shell-button"
            href={address("job", job.id)}
            aria-label={say(WORDS.open, { what: play, title })}
          >
            {play}
          </a>
        )}
        {!ended(job) && (
          <button
            type="button"
            class="shell-danger"
            disabled={busy}
            aria-label={say(WORDS.cancelThis, { title })}
            onClick={() => {
              act(() => cancel(job.id));
            }}
          >
            {say(WORDS.cancel)}
          </button>
        )}
        {ended(job) && repeatable(job) && (
          <button
            type="button"
            disabled={busy}
            aria-label={say(WORDS.againThis, { title })}
            onClick={() => {
              act(() => again(job), onMade);
            }}
          >
            {say(WORDS.again)}
          </button>
        )}
        {children}
      </div>
      {error !== undefined && <Failure error={error} />}
    </>
  );
}
