/** How long a prompt is, counted as the server does: kinesphere.core.prompts. */
import type { Model } from "../api";

const CJK = /[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\u{20000}-\u{3134f}]/gu;

export interface Length {
  /** Words or characters; of a prompt in both, those of one with the other's share added. */
  readonly count: number;
  readonly limit: number;
  readonly unit: "words" | "characters";
}

export function lengthOf(prompt: string, model: Pick<Model, "max_words" | "max_cjk">): Length {
  const cjk = prompt.match(CJK)?.length ?? 0;
  const words = prompt
    .replace(CJK, " ")
    .split(/\s+/)
    .filter((each) => /[\p{L}\p{N}]/u.test(each)).length;
  // Both share one budget, so that each counts as a part of its own limit.
  const used = words * model.max_cjk + cjk * model.max_words;
  return cjk * model.max_words > words * model.max_cjk
    ? { count: Math.ceil(used / model.max_words), limit: model.max_cjk, unit: "characters" }
    : { count: Math.ceil(used / model.max_cjk), limit: model.max_words, unit: "words" };
}
