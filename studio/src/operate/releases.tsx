/** Releases: a task's traffic on its way to a new model. */
import { useCallback, useState } from "preact/hooks";

import { models, type Model, type Task } from "../api";
import { Confirm, type Question } from "../shell/confirm";
import { Failure } from "../shell/failure";
import { say, type Text } from "../shell/words";
import {
  type Figures,
  type Order,
  orderRelease,
  type Release,
  type ReleaseState,
  releases,
  startRelease,
} from "./api";
import { bytes, moment, number, share, steps as stepsOf, time, whole } from "./figures";
import { Comparing } from "./pair";
import { Facts, Table, useLook } from "./parts";
import { EVERY } from "./pools";

const WORDS = {
  none: { en: "There was no release yet.", zh: "还没有发布。" },
  of: { en: "{task}: {canary} in place of {stable}", zh: "{task}：以 {canary} 替换 {stable}" },
  share: { en: "Traffic to the canary", zh: "金丝雀流量" },
  step: { en: "Step", zh: "步骤" },
  stepOf: { en: "{step} of {steps}", zh: "第 {step} 步，共 {steps} 步" },
  users: { en: "Users answered", zh: "覆盖用户" },
  gates: { en: "Gates", zh: "门禁" },
  gate: { en: "Gate", zh: "门禁" },
  stable: { en: "Stable", zh: "稳定版" },
  canary: { en: "Canary", zh: "金丝雀" },
  evidence: { en: "Evidence against it", zh: "不利证据" },
  verdict: { en: "Verdict", zh: "结论" },
  unseen: { en: "nothing seen yet", zh: "暂无数据" },
  passes: { en: "passes", zh: "通过" },
  near: { en: "close to its limit", zh: "接近上限" },
  trips: { en: "rolls back", zh: "触发回滚" },
  jobs: { en: "Jobs compared", zh: "对比任务数" },
  p95: { en: "p95 from acceptance", zh: "p95（自接受起）" },
  p95run: { en: "p95 from first claim", zh: "p95（自开始起）" },
  memory: { en: "Main memory", zh: "内存" },
  device: { en: "Device memory", zh: "显存" },
  figure: { en: "Figure", zh: "指标" },
  record: { en: "What happened ({count})", zh: "记录（{count}）" },
  start: { en: "Start a release", zh: "开始发布" },
  task: { en: "Task", zh: "任务类型" },
  steps: { en: "Steps, in percent of the traffic", zh: "各步骤流量（百分比）" },
  stepsWrong: { en: "Rising numbers up to 100, such as 10, 25, 50, 100.", zh: "请输入递增且不超过 100 的数字，例如 10, 25, 50, 100。" },
  hold: { en: "Seconds a step lasts at least", zh: "每步至少持续（秒）" },
  samples: { en: "Jobs a step compares at least", zh: "每步至少对比任务数" },
  noCanary: {
    en: "A release needs two models for one task.",
    zh: "同一任务类型至少需要两个模型才能发布。",
  },
  started: {
    en: "{part} % of the callers of {task} will be answered by {canary} from now on, the others as before. It goes on by itself, and rolls back by itself where a gate trips.",
    zh: "从现在起，{part}% 的“{task}”请求将由 {canary} 响应，其余不变。发布会自动推进，门禁触发时自动回滚。",
  },
};

const TASKS: Readonly<Record<Task, Text>> = {
  motion: { en: "Motions", zh: "动作" },
  mesh: { en: "Meshes", zh: "网格" },
};

const STATES: Readonly<Record<ReleaseState, Text>> = {
  running: { en: "running", zh: "进行中" },
  paused: { en: "paused", zh: "已暂停" },
  promoted: { en: "promoted", zh: "已全量" },
  rolled_back: { en: "rolled back", zh: "已回滚" },
  aborted: { en: "aborted", zh: "已中止" },
};

const TESTS: Readonly<Record<string, Text>> = {
  errors: { en: "Errors", zh: "错误" },
  latency: { en: "Latency", zh: "延迟" },
  running: { en: "Running time", zh: "运行时间" },
  quality: { en: "Quality", zh: "质量" },
};

const ORDERS: Readonly<Record<Order, { act: Text; means: Text; grave?: boolean }>> = {
  pause: {
    act: { en: "Pause the release", zh: "暂停发布" },
    means: {
      en: "{canary} keeps {part} % of the traffic and gets no more. A gate that trips still rolls it back.",
      zh: "{canary} 将保持 {part}% 的流量，不再增加。门禁触发时仍会回滚。",
    },
  },
  resume: {
    act: { en: "Resume the release", zh: "继续发布" },
    means: {
      en: "The present step of {canary} begins anew at {part} %, and the next ones follow.",
      zh: "{canary} 将从当前步骤（{part}%）重新开始，并继续后续步骤。",
    },
  },
  promote: {
    act: { en: "Promote the canary", zh: "立即全量" },
    means: {
      en: "All traffic goes to {canary} now, whatever the gates have seen so far.",
      zh: "无论门禁结果如何，所有流量将立即切换到 {canary}。",
    },
  },
  abort: {
    act: { en: "Abort the release", zh: "中止发布" },
    grave: true,
    means: {
      en: "All traffic goes back to {stable} now. {canary} can be released again later.",
      zh: "所有流量将立即切回 {stable}。之后可以重新发布 {canary}。",
    },
  },
};

const MAY: Readonly<Record<ReleaseState, readonly Order[]>> = {
  running: ["pause", "promote", "abort"],
  paused: ["resume", "promote", "abort"],
  promoted: [],
  rolled_back: [],
  aborted: [],
};

export function Releases() {
  const look = useCallback(
    async (stop: AbortSignal) => ({ all: await releases(stop), models: await models(stop) }),
    [],
  );
  const { found, error, again } = useLook(look, EVERY);
  const [question, setQuestion] = useState<Question>();
  const order = (release: Release, which: Order) => {
    const { act, means, grave } = ORDERS[which];
    const { canary, stable } = release;
    const part = number(release.figures.canary_percent);
    setQuestion({
      act: say(act),
      means: say(means, { canary, stable, part }),
      grave: grave ?? false,
      run: () => orderRelease(release.task, which),
    });
  };
  return (
    <>
      {error !== undefined && <Failure error={error} again={again} />}
      {found?.all.length === 0 && <p>{say(WORDS.none)}</p>}
      <div class="operate-wide">
        {found?.all.map((each) => (
          <Card
            key={each.id}
            release={each}
            order={(which) => {
              order(each, which);
            }}
            again={again}
          />
        ))}
      </div>
      {found && <Start models={found.models} running={found.all} ask={setQuestion} />}
      {question && (
        <Confirm
          of={question}
          leave={(done) => {
            setQuestion(undefined);
            if (done) again();
          }}
        />
      )}
    </>
  );
}

function Card(props: {
  release: Release;
  order: (which: Order) => void;
  again: () => void;
}) {
  const { release, order, again } = props;
  const { figures, terms, record } = release;
  const name = { task: say(TASKS[release.task]), canary: release.canary, stable: release.stable };
  return (
    <section class="operate-card" aria-labelledby={`operate-release-${release.id}`}>
      <header>
        <h2 id={`operate-release-${release.id}`}>{say(WORDS.of, name)}</h2>
        <p class={`operate-release operate-release-${release.state}`} role="status">
          {say(STATES[release.state])}
        </p>
      </header>
      <Facts
        of={[
          [say(WORDS.share), `${number(figures.canary_percent)} %`],
          [
            say(WORDS.step),
            say(WORDS.stepOf, {
              step: Math.min(release.step + 1, terms.steps.length),
              steps: terms.steps.length,
            }),
          ],
          [say(WORDS.users), whole(figures.canary_users)],
        ]}
      />
      <progress
        max="100"
        value={figures.canary_percent}
        aria-label={say(WORDS.share)}
      />
      <Gates of={figures} />
      {MAY[release.state].length > 0 && (
        <div class="shell-row">
          {MAY[release.state].map((which) => (
            <button
              key={which}
              type="button"
              class={ORDERS[which].grave ? "shell-danger" : ""}
              onClick={() => {
                order(which);
              }}
            >
              {say(ORDERS[which].act)}
            </button>
          ))}
        </div>
      )}
      {release.task === "motion" && MAY[release.state].length > 0 && (
        <Comparing release={release} changed={again} />
      )}
      <details>
        <summary>{say(WORDS.record, { count: record.length })}</summary>
        <ol class="operate-record">
          {[...record].reverse().map((each) => (
            <li key={each.at}>
              <time dateTime={each.at}>{moment(each.at)}</time> <strong>{each.what}</strong>{" "}
              {each.why}
            </li>
          ))}
        </ol>
      </details>
    </section>
  );
}

function Gates({ of }: { of: Figures }) {
  const rows = [
    [say(WORDS.jobs), of.jobs, (value: number | null) => number(value)],
    [say(WORDS.p95), of.p95_seconds, time],
    [say(WORDS.p95run), of.p95_running_seconds, time],
    [say(WORDS.memory), of.memory_bytes, bytes],
    [say(WORDS.device), of.device_bytes, bytes],
  ] as const;
  return (
    <div class="operate-tables">
      <Table
        label={say(WORDS.gates)}
        heads={[
          say(WORDS.gate),
          say(WORDS.stable),
          say(WORDS.canary),
          say(WORDS.evidence),
          say(WORDS.verdict),
        ]}
      >
        {Object.entries(of.tests).map(([name, test]) => {
          const text = TESTS[name];
          const part = test.evidence / of.threshold;
          return (
            <tr key={name}>
              <th scope="row">{text ? say(text) : name}</th>
              <td>{share(test.stable)}</td>
              <td>{share(test.canary)}</td>
              <td>
                {number(test.evidence, 2)} / {number(of.threshold, 2)}
              </td>
              <Verdict part={of.jobs.canary > 0 ? part : null} />
            </tr>
          );
        })}
      </Table>
      <Table
        label={say(WORDS.figure)}
        heads={[say(WORDS.figure), say(WORDS.stable), say(WORDS.canary)]}
      >
        {rows.map(([name, pair, tell]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{tell(pair.stable)}</td>
            <td>{tell(pair.canary)}</td>
          </tr>
        ))}
      </Table>
    </div>
  );
}

/** `part` is the evidence as a part of what rolls back; null before any job. */
function Verdict({ part }: { part: number | null }) {
  if (part === null) return <td class="operate-dim">{say(WORDS.unseen)}</td>;
  if (part >= 1) return <td class="operate-bad">{say(WORDS.trips)}</td>;
  if (part >= 0.25) return <td class="operate-warn">{say(WORDS.near)}</td>;
  return <td class="operate-good">{say(WORDS.passes)}</td>;
}

function Start(props: {
  models: readonly Model[];
  running: readonly Release[];
  ask: (question: Question) => void;
}) {
  const busy = new Set(
    props.running
      .filter((each) => MAY[each.state].length > 0)
      .map((each) => each.task),
  );
  const canaries = props.models.filter((each) => !each.default && !busy.has(each.task));
  const [chosen, setChosen] = useState("");
  const [steps, setSteps] = useState("10, 25, 50, 100");
  const [hold, setHold] = useState(600);
  const [samples, setSamples] = useState(50);
  const model = canaries.find((each) => `${each.task} ${each.name}` === chosen) ?? canaries[0];
  const parts = stepsOf(steps);
  if (model === undefined)
    return busy.size > 0 ? null : <p class="operate-dim">{say(WORDS.noCanary)}</p>;
  return (
    <form
      class="operate-card operate-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (parts === null) return;
        const { task, name } = model;
        props.ask({
          act: say(WORDS.start),
          means: say(WORDS.started, {
            part: parts[0] ?? 0,
            task: say(TASKS[task]),
            canary: name,
          }),
          run: () => startRelease(task, { canary: name, steps: parts, hold_seconds: hold, samples }),
        });
      }}
    >
      <h2>{say(WORDS.start)}</h2>
      <label>
        {say(WORDS.canary)}
        <select
          value={`${model.task} ${model.name}`}
          onChange={(event) => {
            setChosen(event.currentTarget.value);
          }}
        >
          {canaries.map((each) => (
            <option key={`${each.task} ${each.name}`} value={`${each.task} ${each.name}`}>
              {say(TASKS[each.task])}: {each.name}
            </option>
          ))}
        </select>
      </label>
      <label>
        {say(WORDS.steps)}
        <input
          value={steps}
          aria-invalid={parts === null}
          aria-describedby="operate-steps"
          onInput={(event) => {
            setSteps(event.currentTarget.value);
          }}
        />
        <small id="operate-steps" class={parts === null ? "operate-bad" : "operate-dim"}>
          {say(WORDS.stepsWrong)}
        </small>
      </label>
      <Count name={say(WORDS.hold)} value={hold} least={0} set={setHold} />
      <Count name={say(WORDS.samples)} value={samples} least={1} set={setSamples} />
      <button type="submit" class="shell-primary" disabled={parts === null}>
        {say(WORDS.start)}
      </button>
    </form>
  );
}

export function Count(props: {
  name: string;
  value: number;
  least: number;
  most?: number;
  set: (value: number) => void;
}) {
  return (
    <label>
      {props.name}
      <input
        type="number"
        required
        min={props.least}
        max={props.most ?? 1_000_000}
        step="any"
        value={props.value}
        onInput={(event) => {
          const value = event.currentTarget.valueAsNumber;
          if (Number.isFinite(value)) props.set(value);
        }}
      />
    </label>
  );
}
