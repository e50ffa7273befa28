/** When it would be done and what it would cost, before it is sent. */
import { Problem, type Preview, type PreviewProblem } from "../api";
import { adviceOn } from "../shell/failure";
import { say, tag } from "../shell/words";
import { spell } from "../watch/describe";
import type { Reading } from "./reading";

const WORDS = {
  now: { en: "Done in about {time}.", zh: "预计 {time}后完成。" },
  later: {
    en: "Begins in about {start}, done in about {time}.",
    zh: "预计 {start}后开始，{time}后完成。",
  },
  cached: { en: "It was made before, and is there at once.", zh: "已有现成结果，可立即获取。" },
  cost: { en: "Costs about {cost}.", zh: "费用约 {cost}。" },
};

/** What is wrong with what the form has, as the server sees it. */
export function problemsOf(reading: Reading<Preview>): readonly Told[] {
  const { told, error } = reading;
  if (error instanceof Problem) return [{ error_code: error.code, detail: error.message }];
  return told?.problems ?? [];
}

type Told = Pick<PreviewProblem, "error_code" | "detail">;

export function Problems({ of }: { of: readonly Told[] }) {
  return (
    <>
      {of.map(({ error_code: code, detail }) => (
        <p key={code + detail} class="make-wrong">
          {detail} {adviceOn(code)}
        </p>
      ))}
    </>
  );
}

export function Outlook({ of }: { of: Preview | null }) {
  const words = [];
  if (of?.cached) words.push(say(WORDS.cached));
  else if (of?.eta) {
    const { start, seconds } = of.eta;
    const filled = { start: spell(whole(start)), time: spell(whole(seconds)) };
    words.push(say(start < 1 ? WORDS.now : WORDS.later, filled));
  }
  if (of?.cost) {
    const { amount, currency } = of.cost;
    words.push(say(WORDS.cost, { cost: money(amount, currency) }));
  }
  return (
    <p class="make-outlook" role="status">
      {words.join(" ")}
    </p>
  );
}

function whole(seconds: number): number {
  return seconds < 10 ? Math.max(0.1, Math.round(seconds * 10) / 10) : Math.round(seconds);
}

function money(amount: number, currency: string): string {
  if (!currency) return amount.toPrecision(2);
  try {
    const style = { style: "currency", currency, maximumSignificantDigits: 2 } as const;
    return new Intl.NumberFormat(tag.value, style).format(amount);
  } catch {
    return `${amount.toPrecision(2)} ${currency}`;
  }
}
