/** What went wrong, in words for whoever can mend it. */
import { Problem, Unreachable } from "../api";
import { say, type Text } from "./words";

const WORDS = {
  unreachable: {
    en: "The server does not answer. What you entered is still here.",
    zh: "服务器没有响应。您填写的内容仍然保留。",
  },
  unexpected: { en: "Something went wrong in this page.", zh: "页面出现了意外错误。" },
  again: { en: "Try again", zh: "重试" },
  allowed: { en: "{field}: {problem}. Allowed: {allowed}", zh: "{field}：{problem}。允许：{allowed}" },
  wrong: { en: "{field}: {problem}", zh: "{field}：{problem}" },
  request: { en: "Request {id}", zh: "请求 {id}" },
};

/** What can be done about the commonest codes, where the server's own sentence does not say. */
const ADVICE: Readonly<Record<string, Text>> = {
  PROMPT_TOO_LONG: {
    en: "Make the prompt shorter, or choose a model that takes more words.",
    zh: "请缩短描述，或选择支持更长描述的模型。",
  },
  PROMPT_NOT_UNDERSTOOD: {
    en: "Name an action, such as walk, wave, jump, dance or sit.",
    zh: "请写出一个动作，例如：走、挥手、跳、跳舞、坐下。",
  },
  IMAGE_REJECTED: {
    en: "Use a PNG, JPEG or WebP picture of one object on a plain background.",
    zh: "请使用背景简洁、只有一个物体的 PNG、JPEG 或 WebP 图片。",
  },
  IMAGE_TOO_LARGE: {
    en: "Use a smaller picture.",
    zh: "请使用更小的图片。",
  },
  BODY_TOO_LARGE: { en: "Use a smaller picture.", zh: "请使用更小的图片。" },
  QUEUE_FULL: { en: "Too much is waiting. Try again soon.", zh: "排队的任务太多，请稍后再试。" },
  QUOTA_EXCEEDED: {
    en: "You have as many jobs waiting as you may. Wait until one is done, or cancel one.",
    zh: "您排队中的任务已达上限。请等待其中一个完成，或取消一个。",
  },
  RATE_LIMITED: { en: "Too many requests. Wait a moment.", zh: "请求过于频繁，请稍候。" },
  MODEL_NOT_READY: {
    en: "The model is still starting. Try again soon.",
    zh: "模型仍在启动，请稍后再试。",
  },
  QUALITY_REJECTED: {
    en: "The result was not good enough to hand out. Try another seed or another wording.",
    zh: "结果未达到质量要求。请换一个随机种子或换一种说法。",
  },
  ENGINE_FAILED: { en: "Try again, or with another seed.", zh: "请重试，或换一个随机种子。" },
  ENGINE_CRASHED: { en: "Try again, or with another model.", zh: "请重试，或换一个模型。" },
  ENGINE_TIMEOUT: { en: "Ask for a shorter motion.", zh: "请缩短动作时长。" },
  FORBIDDEN: {
    en: "Your key does not allow this. Sign in with another.",
    zh: "您的密钥没有此权限，请换一个密钥登录。",
  },
  JOB_NOT_FOUND: {
    en: "It was deleted, or belongs to someone else.",
    zh: "该任务已被删除，或属于其他用户。",
  },
};

export function adviceOn(code: string): string | null {
  const found = ADVICE[code];
  return found ? say(found) : null;
}

export function Failure({ error, again }: { error: unknown; again?: (() => void) | undefined }) {
  return (
    <div class="shell-failure" role="alert">
      {error instanceof Problem ? (
        <Refusal problem={error} />
      ) : (
        <strong>
          {error instanceof Unreachable ? say(WORDS.unreachable) : say(WORDS.unexpected)}
        </strong>
      )}
      {!(error instanceof Problem) && !(error instanceof Unreachable) && (
        <small>{String(error)}</small>
      )}
      {again && (
        <button type="button" onClick={again}>
          {say(WORDS.again)}
        </button>
      )}
    </div>
  );
}

function Refusal({ problem }: { problem: Problem }) {
  const advice = adviceOn(problem.code);
  return (
    <>
      <strong>{problem.message}</strong>
      {advice !== null && <span>{advice}</span>}
      {problem.fields.length > 0 && (
        <ul>
          {problem.fields.map((each) => (
            <li key={each.field}>
              {say(each.allowed ? WORDS.allowed : WORDS.wrong, { ...each })}
            </li>
          ))}
        </ul>
      )}
      <small>
        <code>{problem.code}</code>
        {problem.requestId && <> · {say(WORDS.request, { id: problem.requestId })}</>}
      </small>
    </>
  );
}
