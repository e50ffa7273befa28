/** Jobs in words. */
import type { Job, State } from "../api";
import { say, tag, type Text } from "../shell/words";

const STATES: Readonly<Record<State, Text>> = {
  queued: { en: "Waiting", zh: "排队中" },
  running: { en: "Running", zh: "生成中" },
  succeeded: { en: "Done", zh: "已完成" },
  failed: { en: "Failed", zh: "失败" },
  cancelled: { en: "Cancelled", zh: "已取消" },
  expired: { en: "Expired", zh: "已过期" },
};

const STAGES: Readonly<Record<string, Text>> = {
  shape: { en: "Shape", zh: "几何" },
  texture: { en: "Texture", zh: "纹理" },
};

const WORDS = {
  picture: { en: "Picture of {width} × {height}", zh: "{width} × {height} 的图片" },
  mesh: { en: "Mesh of a picture", zh: "图片生成模型" },
  stage: { en: "{name}, stage {index} of {count}", zh: "{name}，第 {index}/{count} 步" },
  next: { en: "next in line", zh: "即将开始" },
  ahead: { en: "{count} ahead", zh: "前面还有 {count} 个" },
  one: { en: "1 ahead", zh: "前面还有 1 个" },
  soon: { en: "any moment", zh: "即将完成" },
  left: { en: "about {time} left", zh: "约剩 {time}" },
  seconds: { en: "{n} s", zh: "{n} 秒" },
  minutes: { en: "{n} min", zh: "{n} 分钟" },
  hours: { en: "{n} h", zh: "{n} 小时" },
};

export const TASKS: Readonly<Record<Job["task"], Text>> = {
  motion: { en: "Motion", zh: "动作" },
  mesh: { en: "Mesh", zh: "模型" },
};

export function stateName(state: State): string {
  return say(STATES[state]);
}

/** What was asked for, in one line. */
export function titleOf(job: Job): string {
  const { prompt, picture } = job.request;
  if (prompt) return prompt;
  if (picture) return say(WORDS.picture, { width: picture.width, height: picture.height });
  return say(WORDS.mesh);
}

/** Where a job is, among its stages; "" for one that has only one. */
export function stageOf(job: Job): string {
  if (job.stage.count < 2) return "";
  const own = job.stage.pool.split(".").at(-1) ?? "";
  const names = ["shape", "texture"];
  const name = job.stage.count === 2 ? (names[job.stage.index] ?? own) : own;
  const shown = STAGES[name];
  const { index, count } = job.stage;
  return say(WORDS.stage, { name: shown ? say(shown) : name, index: index + 1, count });
}

export function placeOf(job: Job): string {
  if (job.state !== "queued" || job.eta === null) return "";
  const { ahead } = job.eta.basis;
  if (ahead === 0) return say(WORDS.next);
  return ahead === 1 ? say(WORDS.one) : say(WORDS.ahead, { count: ahead });
}

/** What is left until `due`, by this machine's clock, both in ms. */
export function leftUntil(due: number | null, now: number): string {
  if (due === null) return "";
  const seconds = (due - now) / 1000;
  return seconds < 1 ? say(WORDS.soon) : say(WORDS.left, { time: spell(seconds) });
}

/** A length of time, in seconds. */
export function spell(seconds: number): string {
  if (seconds < 10 && seconds % 1 !== 0) return say(WORDS.seconds, { n: seconds.toFixed(1) });
  if (seconds < 90) return say(WORDS.seconds, { n: Math.round(seconds) });
  if (seconds < 5400) return say(WORDS.minutes, { n: Math.round(seconds / 60) });
  return say(WORDS.hours, { n: Math.round(seconds / 3600) });
}

export function sizeOf(bytes: number): string {
  return bytes < 1_000_000
    ? `${Math.max(1, Math.round(bytes / 1000))} kB`
    : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** A time of the server's, as it is here. */
export function momentOf(time: string): string {
  return new Date(time).toLocaleString(tag.value, { dateStyle: "medium", timeStyle: "short" });
}
