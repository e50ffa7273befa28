/** What the studio says, in each of its languages. */
import { computed, signal } from "@preact/signals";

export const LANGUAGES = { en: "English", zh: "中文" } as const;
export type Language = keyof typeof LANGUAGES;
/** One text in every language; `{name}` stands for what is filled in. */
export type Text = Readonly<Record<Language, string>>;

const KEPT = "kinesphere.language";

function first(): Language {
  const kept = localStorage.getItem(KEPT) ?? navigator.language;
  return kept.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export const language = signal<Language>(first());
export const tag = computed(() => (language.value === "zh" ? "zh-CN" : "en"));

export function speak(chosen: Language): void {
  localStorage.setItem(KEPT, chosen);
  language.value = chosen;
}

/** A text in the present language. */
export function say(text: Text, filled: Readonly<Record<string, string | number>> = {}): string {
  return text[language.value].replace(/\{(\w+)\}/g, (all, name: string) =>
    name in filled ? String(filled[name]) : all,
  );
}
