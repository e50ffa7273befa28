/** Asking for a motion or a mesh, and the last one coming. */
import { useEffect, useState } from "preact/hooks";

import { models, type Job, type Task } from "../api";
import { Failure } from "../shell/failure";
import { route } from "../shell/route";
import { say } from "../shell/words";
import { Show, useJob } from "../watch/show";
import { Announcement } from "../watch";
import { learn } from "../watch/store";
import { made, offered, task } from "./draft";
import { Mesh } from "./mesh";
import { Motion } from "./motion";
import "./style.css";

const WORDS = {
  title: { en: "Make", zh: "创作" },
  what: { en: "What to make", zh: "创作类型" },
  motion: { en: "Motion from words", zh: "文字生成动作" },
  mesh: { en: "Mesh from a picture", zh: "图片生成模型" },
  result: { en: "Result", zh: "结果" },
  here: {
    en: "What you make comes here, and plays as soon as it is there.",
    zh: "您的作品会显示在这里，完成后即可播放。",
  },
};

export function Page() {
  const [error, setError] = useState<unknown>();
  const look = () => {
    setError(undefined);
    models().then((found) => {
      offered.value = found;
    }, setError);
  };
  useEffect(look, []);
  const [wanted] = route.value.rest;
  useEffect(() => {
    if (wanted === "mesh" || wanted === "motion") task.value = wanted;
  }, [wanted]);
  const take = (job: Job) => {
    learn(job);
    made.value = job.id;
  };
  return (
    <div class="make-page">
      <section class="make-ask">
        <h1>{say(WORDS.title)}</h1>
        <fieldset class="make-tasks">
          <legend class="shell-hidden">{say(WORDS.what)}</legend>
          {(["motion", "mesh"] as const).map((each) => (
            <TaskChoice key={each} of={each} />
          ))}
        </fieldset>
        {error !== undefined && <Failure error={error} again={look} />}
        {task.value === "motion" ? <Motion onMade={take} /> : <Mesh onMade={take} />}
      </section>
      <section class="make-result" aria-label={say(WORDS.result)}>
        <Announcement />
        {made.value ? (
          <Made key={made.value} id={made.value} onMade={take} />
        ) : (
          <p class="make-empty">{say(WORDS.here)}</p>
        )}
      </section>
    </div>
  );
}

function TaskChoice({ of }: { of: Task }) {
  return (
    <label>
      <input
        type="radio"
        name="task"
        value={of}
        checked={task.value === of}
        onChange={() => {
          task.value = of;
        }}
      />
      {say(WORDS[of])}
    </label>
  );
}

function Made({ id, onMade }: { id: string; onMade: (job: Job) => void }) {
  const [error, setError] = useState<unknown>();
  useJob(id, setError);
  return (
    <>
      {error !== undefined && <Failure error={error} />}
      <Show id={id} heading="h2" onMade={onMade} />
    </>
  );
}
