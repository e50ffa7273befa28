/** The pools, live. */
import { useCallback, useRef, useState } from "preact/hooks";

import { Failure } from "../shell/failure";
import { say, type Text } from "../shell/words";
import { type Member, type Pool, pools } from "./api";
import { Chart } from "./chart";
import { bytes, money, NOTHING, number, share, time, whole } from "./figures";
import { added, type Sample, series } from "./history";
import { Facts, Table, useLook } from "./parts";

const WORDS = {
  none: { en: "This server has no pools.", zh: "该服务器没有资源池。" },
  waiting: { en: "Waiting", zh: "排队" },
  running: { en: "Running", zh: "运行" },
  ready: { en: "Ready", zh: "可用" },
  planned: { en: "Planned", zh: "计划" },
  replicas: { en: "Replicas", zh: "副本" },
  noReplica: { en: "none", zh: "无" },
  queue: { en: "Queue", zh: "队列" },
  queued: { en: "{waiting} waiting, {running} running", zh: "排队 {waiting}，运行 {running}" },
  oldest: { en: "Oldest wait", zh: "最长等待" },
  latency: { en: "p50 / p95", zh: "p50 / p95" },
  made: { en: "Made, last {time}", zh: "最近 {time} 完成" },
  failed: { en: "{made}, {failed} failed", zh: "{made}，失败 {failed}" },
  asset: { en: "Cost per asset", zh: "单件成本" },
  hour: { en: "Cost per hour", zh: "每小时成本" },
  plan: { en: "Plan: {count} ({policy})", zh: "计划：{count} 个（{policy}）" },
  fixed: { en: "No policy scales this pool.", zh: "该资源池未启用伸缩策略。" },
  simulated: { en: "simulated", zh: "模拟" },
  load: { en: "Jobs waiting and running", zh: "排队与运行的任务数" },
  size: { en: "Replicas ready and planned", zh: "可用与计划的副本数" },
  speed: { en: "Latency", zh: "延迟" },
  ago: { en: "Ago", zh: "多久前" },
  members: { en: "Replicas and devices ({count})", zh: "副本与设备（{count}）" },
  name: { en: "Replica", zh: "副本" },
  state: { en: "State", zh: "状态" },
  device: { en: "Device", zh: "设备" },
  memory: { en: "Memory", zh: "内存" },
  device_memory: { en: "Device memory", zh: "显存" },
  busy: { en: "Busy", zh: "利用率" },
  heat: { en: "Temperature", zh: "温度" },
  power: { en: "Power", zh: "功耗" },
  jobs: { en: "Jobs", zh: "任务数" },
  throttled: { en: "throttled", zh: "降频" },
  stale: { en: "These figures are old.", zh: "以下数据已过时。" },
};

const STATES: Readonly<Record<string, Text>> = {
  ready: { en: "ready", zh: "就绪" },
  busy: { en: "busy", zh: "忙碌" },
  starting: { en: "starting", zh: "启动中" },
  draining: { en: "draining", zh: "排空中" },
  asleep: { en: "asleep", zh: "休眠" },
  setup_failed: { en: "start failed", zh: "启动失败" },
  defunct: { en: "defunct", zh: "失效" },
  stopped: { en: "stopped", zh: "已停止" },
};

export const EVERY = 2_000;

function stateName(state: string): string {
  const found = STATES[state];
  return found ? say(found) : state;
}

function sampled(pool: Pool): Sample {
  const { replicas } = pool;
  return {
    at: performance.now(),
    values: {
      waiting: pool.waiting,
      running: pool.running,
      ready: (replicas["ready"] ?? 0) + (replicas["busy"] ?? 0),
      planned: pool.plan?.replicas ?? null,
      p50: pool.recent.p50,
      p95: pool.recent.p95,
    },
  };
}

export function Pools() {
  const kept = useRef(new Map<string, readonly Sample[]>());
  const [, redraw] = useState(0);
  const look = useCallback((stop: AbortSignal) => pools(stop), []);
  const { found, error, again } = useLook(look, EVERY, (now) => {
    for (const each of now)
      kept.current.set(each.name, added(kept.current.get(each.name) ?? [], sampled(each)));
    redraw((before) => before + 1);
  });
  return (
    <>
      {error !== undefined && <Failure error={error} again={again} />}
      {error !== undefined && found && <p class="operate-stale">{say(WORDS.stale)}</p>}
      {found?.length === 0 && <p>{say(WORDS.none)}</p>}
      <div class="operate-cards">
        {found?.map((each) => (
          <Card key={each.name} pool={each} samples={kept.current.get(each.name) ?? []} />
        ))}
      </div>
    </>
  );
}

function Card({ pool, samples }: { pool: Pool; samples: readonly Sample[] }) {
  const { recent, plan, cost } = pool;
  const times = samples.map((each) => each.at / 1000);
  const last = times.at(-1) ?? 0;
  const chart = { times, head: say(WORDS.ago), when: (at: number) => time(Math.round(last - at)) };
  const line = (name: keyof typeof WORDS, of: string) => ({
    name: say(WORDS[name]),
    values: series(samples, of),
  });
  const facts: [string, preact.ComponentChildren][] = [
    [say(WORDS.replicas), <States key="states" of={pool.replicas} />],
    [
      say(WORDS.queue),
      say(WORDS.queued, { waiting: whole(pool.waiting), running: whole(pool.running) }),
    ],
    [say(WORDS.oldest), time(pool.oldest_wait)],
    [say(WORDS.latency), `${time(recent.p50)} / ${time(recent.p95)}`],
    [
      say(WORDS.made, { time: time(Math.round(recent.seconds)) }),
      recent.failed > 0
        ? say(WORDS.failed, { made: whole(recent.succeeded), failed: whole(recent.failed) })
        : whole(recent.succeeded),
    ],
  ];
  if (cost)
    facts.push(
      [say(WORDS.asset), money(cost.asset, cost.currency)],
      [say(WORDS.hour), money(cost.hour, cost.currency)],
    );
  return (
    <section class="operate-card" aria-labelledby={`operate-pool-${pool.name}`}>
      <header>
        <h2 id={`operate-pool-${pool.name}`}>{pool.name}</h2>
        <p class="operate-dim">
          {pool.model.name} {pool.model.version}
          {pool.model.simulated && <span class="operate-tag">{say(WORDS.simulated)}</span>}
        </p>
      </header>
      {pool.detail && <p class="operate-bad">{pool.detail}</p>}
      <Facts of={facts} />
      <p class="operate-plan">
        {plan ? (
          <>
            <strong>
              {say(WORDS.plan, { count: tiers(plan.tiers) || plan.replicas, policy: plan.policy })}
            </strong>{" "}
            {plan.reason}
          </>
        ) : (
          say(WORDS.fixed)
        )}
      </p>
      <Chart
        {...chart}
        label={say(WORDS.load)}
        lines={[line("waiting", "waiting"), line("running", "running")]}
        tell={(value) => number(value)}
        stepped
      />
      <Chart
        {...chart}
        label={say(WORDS.size)}
        lines={plan ? [line("ready", "ready"), line("planned", "planned")] : [line("ready", "ready")]}
        tell={(value) => number(value)}
        stepped
      />
      <Chart
        {...chart}
        label={say(WORDS.speed)}
        lines={[
          { name: "p50", values: series(samples, "p50") },
          { name: "p95", values: series(samples, "p95") },
        ]}
        tell={time}
      />
      <details>
        <summary>{say(WORDS.members, { count: pool.members.length })}</summary>
        <Members of={pool.members} label={pool.name} />
      </details>
    </section>
  );
}

function tiers(of: Readonly<Record<string, number>>): string {
  return Object.entries(of)
    .map(([name, count]) => `${count} × ${name}`)
    .join(", ");
}

function States({ of }: { of: Readonly<Record<string, number>> }) {
  const there = Object.entries(of).filter(([, count]) => count > 0);
  if (there.length === 0) return <>{say(WORDS.noReplica)}</>;
  return (
    <span class="operate-states">
      {there.map(([state, count]) => (
        <span key={state} class={`operate-state operate-state-${state}`}>
          {count} {stateName(state)}
        </span>
      ))}
    </span>
  );
}

function Members({ of, label }: { of: readonly Member[]; label: string }) {
  const gpus = of.some((each) => each.health !== null || each.device_bytes !== null);
  return (
    <Table
      label={label}
      heads={[
        say(WORDS.name),
        say(WORDS.state),
        say(WORDS.device),
        say(WORDS.jobs),
        say(WORDS.memory),
        ...(gpus ? [say(WORDS.device_memory), say(WORDS.busy), say(WORDS.heat), say(WORDS.power)] : []),
      ]}
    >
      {of.map((each) => (
        <tr key={each.name}>
          <th scope="row">{each.name}</th>
          <td>
            {stateName(each.state)}
            {each.last_error && <small class="operate-bad"> {each.last_error}</small>}
          </td>
          <td>
            {each.device_name || each.device}
            {each.tier && <span class="operate-tag">{each.tier}</span>}
            {each.profile && <span class="operate-tag">{each.profile}</span>}
          </td>
          <td>{whole(each.jobs)}</td>
          <td>{bytes(each.memory_bytes)}</td>
          {gpus && <Health of={each} />}
        </tr>
      ))}
    </Table>
  );
}

function Health({ of }: { of: Member }) {
  const { health } = of;
  return (
    <>
      <td>
        {bytes(health?.used_bytes ?? null)} / {bytes(of.device_bytes)}
      </td>
      <td>{share(health?.busy ?? null)}</td>
      <td>
        {health?.celsius == null ? NOTHING : `${number(health.celsius)} °C`}
        {health?.throttled && <strong class="operate-bad"> {say(WORDS.throttled)}</strong>}
      </td>
      <td>{health?.watts == null ? NOTHING : `${number(health.watts)} W`}</td>
    </>
  );
}
