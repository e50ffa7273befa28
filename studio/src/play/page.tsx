/** Two results side by side, at an address that can be sent: `#/compare/<left>/<right>`. */
import { useEffect, useState } from "preact/hooks";

import { aborted, job as fetched, jobs as listed } from "../api";
import { address, route } from "../shell/route";
import { say, type Text } from "../shell/words";
import { Compare } from "./index";
import type { Job } from "./job";

const SAYS = {
  title: { en: "Compare", zh: "对比" },
  left: { en: "Left", zh: "左侧" },
  right: { en: "Right", zh: "右侧" },
  choose: { en: "Choose…", zh: "请选择…" },
  none: { en: "Choose two results of one kind.", zh: "请选择两个同类结果。" },
  seeded: { en: "{what} · {model} · seed {seed}", zh: "{what} · {model} · 种子 {seed}" },
  failed: { en: "This could not be loaded: {why}", zh: "加载失败：{why}" },
} as const satisfies Record<string, Text>;

/** Results that are offered. */
const OFFERED = 100;

export function Page() {
  const [left = "", right = ""] = route.value.rest;
  const [found, keep] = useState<readonly Job[]>([]);
  const [recent, offer] = useState<readonly Job[]>([]);
  const [why, fail] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    const wanted = [left, right].filter((id) => id !== "");
    const failed = (error: unknown) => {
      if (!aborted(error)) fail(error instanceof Error ? error.message : String(error));
    };
    fail("");
    keep((old) => old.filter((one) => wanted.includes(one.id)));
    Promise.all(wanted.map((id) => fetched(id, stop.signal))).then(keep, failed);
    listed({ state: ["succeeded"], limit: OFFERED }, stop.signal).then((page) => {
      offer(page.items);
    }, failed);
    return () => { stop.abort(); };
  }, [left, right]);
  const both = [left, right].map((id) => found.find((one) => one.id === id));
  const task = both[0]?.task ?? both[1]?.task;
  return (
    <section class="play-page">
      <h1>{say(SAYS.title)}</h1>
      <div class="play-pick">
        {both.map((job, at) => (
          <label key={at}>
            {say(at === 0 ? SAYS.left : SAYS.right)}
            <select
              value={job?.id ?? ""}
              onChange={({ currentTarget: { value } }) => {
                location.hash = address("compare", ...(at === 0 ? [value, right] : [left, value]));
              }}
            >
              <option value="">{say(SAYS.choose)}</option>
              {offered(recent, job, task).map((one) => (
                <option key={one.id} value={one.id}>{titled(one)}</option>
              ))}
            </select>
          </label>
        ))}
      </div>
      {why !== "" && <p role="alert">{say(SAYS.failed, { why })}</p>}
      {both[0] && both[1]
        ? <Compare left={both[0]} right={both[1]} />
        : why === "" && <p>{say(SAYS.none)}</p>}
    </section>
  );
}

/** Of the same task, the chosen one among them however old it is. */
function offered(recent: readonly Job[], chosen: Job | undefined, task: string | undefined) {
  const same = recent.filter((one) => task === undefined || one.task === task);
  return chosen && !same.some((one) => one.id === chosen.id) ? [chosen, ...same] : same;
}

function titled(job: Job): string {
  const { prompt, seed } = job.request;
  const what = typeof prompt === "string" ? prompt : job.id;
  return say(SAYS.seeded, { what, model: job.model.name, seed: String(seed) });
}
