/** Everything on its way, and what ended since the page was opened. */
import { useEffect, useState } from "preact/hooks";

import { ended } from "../api";
import { Failure } from "../shell/failure";
import { address } from "../shell/route";
import { say } from "../shell/words";
import { stateName, titleOf } from "./describe";
import { Actions, Facts, Progress } from "./panel";
import { known, lately, lookAround, type Known } from "./store";
import "./style.css";

const WORDS = {
  title: { en: "Jobs", zh: "任务" },
  underWay: { en: "Under way ({count})", zh: "进行中（{count}）" },
  done: { en: "Ended since you came", zh: "本次访问中已结束" },
  none: { en: "Nothing is under way.", zh: "当前没有进行中的任务。" },
  make: { en: "Make something", zh: "去创作" },
  all: { en: "Everything made before is in the library.", zh: "之前的作品都在作品库中。" },
  ended: { en: "{state}: {title}", zh: "{state}：{title}" },
};

export function Page() {
  const [error, setError] = useState<unknown>();
  const look = () => {
    setError(undefined);
    lookAround().catch(setError);
  };
  useEffect(look, []);
  const all = [...known.value.values()];
  // Oldest first: what is next to end stands on top.
  const active = all
    .filter((each) => !ended(each.job))
    .sort(
      (a, b) =>
        Number(b.job.state === "running") - Number(a.job.state === "running") ||
        a.job.id.localeCompare(b.job.id),
    );
  const done = all
    .filter((each) => ended(each.job) && each.seen)
    .sort((a, b) => (b.job.finished_at ?? "").localeCompare(a.job.finished_at ?? ""));
  return (
    <div class="watch-page">
      <h1>{say(WORDS.title)}</h1>
      {error !== undefined && <Failure error={error} again={look} />}
      <Announcement />
      <section aria-labelledby="watch-active">
        <h2 id="watch-active">{say(WORDS.underWay, { count: active.length })}</h2>
        {active.length === 0 && (
          <p>
            {say(WORDS.none)} <a href={address("make")}>{say(WORDS.make)}</a>
          </p>
        )}
        <Rows of={active} />
      </section>
      {done.length > 0 && (
        <section aria-labelledby="watch-done">
          <h2 id="watch-done">{say(WORDS.done)}</h2>
          <Rows of={done} />
        </section>
      )}
      <p>
        <a href={address("library")}>{say(WORDS.all)}</a>
      </p>
    </div>
  );
}

function Rows({ of }: { of: readonly Known[] }) {
  return (
    <ul class="watch-rows">
      {of.map((each) => (
        <li key={each.job.id} class="watch-row">
          <div class="watch-what">
            <h3>
              <a href={address("job", each.job.id)}>{titleOf(each.job)}</a>
            </h3>
            <Facts job={each.job} />
          </div>
          <div class="watch-how">
            <Progress of={each} />
          </div>
          <Actions job={each.job} linked />
        </li>
      ))}
    </ul>
  );
}

/** The job that ended last, for those who do not see the list. */
export function Announcement() {
  const job = lately.value;
  return (
    <p class="shell-hidden" role="status">
      {job && say(WORDS.ended, { state: stateName(job.state), title: titleOf(job) })}
    </p>
  );
}
