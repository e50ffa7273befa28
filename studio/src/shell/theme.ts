/** Light, dark, or as the machine has it. */
import { computed, effect, signal } from "@preact/signals";

export const CHOICES = ["system", "light", "dark"] as const;
export type Choice = (typeof CHOICES)[number];

const KEPT = "kinesphere.theme";
const kept = localStorage.getItem(KEPT);
const machine = window.matchMedia("(prefers-color-scheme: dark)");
const dark = signal(machine.matches);

machine.addEventListener("change", (change) => {
  dark.value = change.matches;
});

export const choice = signal<Choice>(CHOICES.find((each) => each === kept) ?? "system");

/** What is shown. */
export const theme = computed<"light" | "dark">(() =>
  choice.value === "system" ? (dark.value ? "dark" : "light") : choice.value,
);

export function choose(wanted: Choice): void {
  localStorage.setItem(KEPT, wanted);
  choice.value = wanted;
}

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
});
