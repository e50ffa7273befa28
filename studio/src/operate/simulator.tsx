/** Another scaling policy on a pool's own past, beside the one that runs. */
import { useCallback, useState } from "preact/hooks";

import { Failure } from "../shell/failure";
import { say, type Text } from "../shell/words";
import { type Line, pools, simulate, type Simulation } from "./api";
import { Chart } from "./chart";
import { money, moment, number, share, time, whole } from "./figures";
import { Table, useLook } from "./parts";
import { Count } from "./releases";

const WORDS = {
  title: { en: "What would another policy have done?", zh: "换一种策略会怎样？" },
  lead: {
    en: "The pool's finished jobs are played again: by the policy that runs, and by the one below. Nothing is changed.",
    zh: "用该资源池已完成的任务重新推演：分别采用当前策略和下面的策略。不会更改任何设置。",
  },
  pool: { en: "Pool", zh: "资源池" },
  window: { en: "The last", zh: "时间范围" },
  policy: { en: "Policy", zh: "策略" },
  minimum: { en: "Replicas at least", zh: "最少副本数" },
  maximum: { en: "Replicas at most", zh: "最多副本数" },
  spare: { en: "Spare replicas", zh: "备用副本数" },
  run: { en: "Simulate", zh: "开始模拟" },
  going: { en: "Simulating …", zh: "正在模拟…" },
  hour: { en: "hour", zh: "1 小时" },
  day: { en: "day", zh: "1 天" },
  week: { en: "week", zh: "1 周" },
  fortnight: { en: "two weeks", zh: "2 周" },
  result: {
    en: "{jobs} jobs of {pool} in {time}, from {from} on.",
    zh: "{pool} 在 {time} 内的 {jobs} 个任务，自 {from} 起。",
  },
  cut: { en: "There were more; these are the last.", zh: "任务过多，仅推演最近的部分。" },
  measure: { en: "Measure", zh: "指标" },
  running: { en: "Runs now", zh: "当前策略" },
  asked: { en: "Asked about", zh: "对比策略" },
  mean: { en: "Mean wait", zh: "平均等待" },
  p95: { en: "95 % wait less than", zh: "95% 的等待不超过" },
  p99: { en: "99 % wait less than", zh: "99% 的等待不超过" },
  most: { en: "Longest wait", zh: "最长等待" },
  met: { en: "Deadlines met", zh: "按期完成率" },
  hours: { en: "Replica hours", zh: "副本小时" },
  cost: { en: "Cost", zh: "成本" },
  starts: { en: "Starts", zh: "启动次数" },
  peak: { en: "Replicas at most", zh: "副本峰值" },
  busy: { en: "Busy", zh: "利用率" },
  paid: { en: "Replicas paid for", zh: "计费副本数" },
  waiting: { en: "Jobs waiting", zh: "排队任务数" },
  at: { en: "From the start", zh: "起始后" },
};

const WINDOWS: readonly (readonly [number, Text])[] = [
  [1, WORDS.hour],
  [24, WORDS.day],
  [24 * 7, WORDS.week],
  [24 * 14, WORDS.fortnight],
];

const POLICIES = [
  "look-ahead",
  "keda-queue",
  "keda-utilisation",
  "hpa-cpu",
  "knative",
  "threshold",
  "schedule",
  "static",
];

const SELDOM = 60_000;

export function Simulator() {
  const look = useCallback((stop: AbortSignal) => pools(stop), []);
  const { found, error: away, again } = useLook(look, SELDOM);
  const [pool, setPool] = useState("");
  const [hours, setHours] = useState(24);
  const [policy, setPolicy] = useState("look-ahead");
  const [minimum, setMinimum] = useState(1);
  const [maximum, setMaximum] = useState(4);
  const [spare, setSpare] = useState(0);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [made, setMade] = useState<Simulation>();
  const chosen = found?.find((each) => each.name === pool) ?? found?.[0];
  const go = async () => {
    if (chosen === undefined) return;
    setBusy(true);
    setError(undefined);
    try {
      const asked = { policy, minimum, maximum, spare };
      setMade(await simulate({ pool: chosen.name, hours, policy: asked }));
    } catch (failure) {
      setMade(undefined);
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class="operate-wide">
      {away !== undefined && <Failure error={away} again={again} />}
      <form
        class="operate-card operate-form"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        <h2>{say(WORDS.title)}</h2>
        <p class="operate-dim operate-lead">{say(WORDS.lead)}</p>
        <label>
          {say(WORDS.pool)}
          <select
            value={chosen?.name ?? ""}
            onChange={(event) => {
              setPool(event.currentTarget.value);
            }}
          >
            {found?.map((each) => (
              <option key={each.name} value={each.name}>
                {each.name}
              </option>
            ))}
          </select>
        </label>
        <label>
          {say(WORDS.window)}
          <select
            value={hours}
            onChange={(event) => {
              setHours(Number(event.currentTarget.value));
            }}
          >
            {WINDOWS.map(([count, name]) => (
              <option key={count} value={count}>
                {say(name)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {say(WORDS.policy)}
          <select
            value={policy}
            onChange={(event) => {
              setPolicy(event.currentTarget.value);
            }}
          >
            {POLICIES.map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
        <Count name={say(WORDS.minimum)} value={minimum} least={0} most={1000} set={setMinimum} />
        <Count name={say(WORDS.maximum)} value={maximum} least={1} most={1000} set={setMaximum} />
        <Count name={say(WORDS.spare)} value={spare} least={0} most={1000} set={setSpare} />
        <button type="submit" class="shell-primary" disabled={busy || chosen === undefined}>
          {say(busy ? WORDS.going : WORDS.run)}
        </button>
      </form>
      <div role="status">{error === undefined && made && <Told of={made} />}</div>
      {error !== undefined && <Failure error={error} />}
      {made && <Compared of={made} />}
    </div>
  );
}

function Told({ of }: { of: Simulation }) {
  return (
    <p>
      {say(WORDS.result, {
        jobs: whole(of.jobs),
        pool: of.pool,
        time: time(of.seconds),
        from: moment(of.began_at),
      })}{" "}
      {of.cut && say(WORDS.cut)}
    </p>
  );
}

function Compared({ of }: { of: Simulation }) {
  const rows: readonly (readonly [Text, (line: Line) => string])[] = [
    [WORDS.mean, (line) => time(line.wait_mean)],
    [WORDS.p95, (line) => time(line.wait_p95)],
    [WORDS.p99, (line) => time(line.wait_p99)],
    [WORDS.most, (line) => time(line.wait_max)],
    [WORDS.met, (line) => share(line.met)],
    [WORDS.hours, (line) => number(line.replica_hours)],
    [WORDS.cost, (line) => money(line.cost, of.currency)],
    [WORDS.starts, (line) => whole(line.starts)],
    [WORDS.peak, (line) => whole(line.replicas_max)],
    [WORDS.busy, (line) => share(line.busy)],
  ];
  const both = (name: "paid" | "waiting") => [
    { name: say(WORDS.running), values: of.running.curve[name] },
    { name: say(WORDS.asked), values: of.asked.curve[name] },
  ];
  const chart = { times: of.running.curve.at, live: false, when: time, head: say(WORDS.at), stepped: true };
  return (
    <section class="operate-card" aria-label={say(WORDS.title)}>
      <Table
        label={say(WORDS.measure)}
        heads={[
          say(WORDS.measure),
          <>{say(WORDS.running)} <span class="operate-tag">{of.running.policy}</span></>,
          <>{say(WORDS.asked)} <span class="operate-tag">{of.asked.policy}</span></>,
        ]}
      >
        {rows.map(([name, tell]) => (
          <tr key={name.en}>
            <th scope="row">{say(name)}</th>
            <td>{tell(of.running)}</td>
            <td>{tell(of.asked)}</td>
          </tr>
        ))}
      </Table>
      <Chart {...chart} label={say(WORDS.paid)} lines={both("paid")} tell={(v) => number(v)} />
      <Chart
        {...chart}
        label={say(WORDS.waiting)}
        lines={both("waiting")}
        tell={(v) => number(v)}
      />
    </section>
  );
}
