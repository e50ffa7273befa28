/** What is being asked for; it stays while other pages are looked at. */
import { signal } from "@preact/signals";

import type { Model, Task } from "../api";

export const LARGEST_SEED = 2 ** 32 - 1;

export const task = signal<Task>("motion");
export const prompt = signal("");
/** Seconds. */
export const duration = signal(4);
/** Digits, or "" for one that the server draws. */
export const seed = signal("");
/** Names, or "" for the server's choice. */
export const model = signal<Record<Task, string>>({ motion: "", mesh: "" });
export const format = signal<Record<Task, string>>({ motion: "", mesh: "" });
export const texture = signal(true);
/** Digits, or "" for as the model sees fit. */
export const faces = signal("");
export const picture = signal<File | null>(null);
/** The job that was made last. */
export const made = signal<string | null>(null);

/** What the server can make, once it said. */
export const offered = signal<readonly Model[] | null>(null);

/** The model that would make it: the one chosen, else the one that answers by default. */
export function chosen(of: Task): Model | null {
  const fitting = (offered.value ?? []).filter((each) => each.task === of);
  const name = model.value[of];
  return (
    fitting.find((each) => each.name === name) ??
    fitting.find((each) => each.default) ??
    fitting[0] ??
    null
  );
}

/** A seed that was typed; null for none. */
export function seedOf(text: string): number | null {
  if (!/^\d{1,10}$/.test(text)) return null;
  const value = Number(text);
  return value <= LARGEST_SEED ? value : null;
}
