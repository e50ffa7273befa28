/** The key that requests are made with, kept for this tab alone, and never in an address. */
import { signal } from "@preact/signals";

const KEPT = "kinesphere.key";

export const key = signal<string | null>(sessionStorage.getItem(KEPT));

/** Whether the server wants a key and has none that it takes. */
export const wanted = signal(false);

let waiting: ((given: boolean) => void)[] = [];

/** Ask whoever is there for a key; whether one was given. */
export function askForKey(): Promise<boolean> {
  wanted.value = true;
  return new Promise((resolve) => waiting.push(resolve));
}

export function signIn(given: string): void {
  sessionStorage.setItem(KEPT, given);
  key.value = given;
  settle(true);
}

/** Leave the question unanswered. */
export function decline(): void {
  settle(false);
}

export function signOut(): void {
  sessionStorage.removeItem(KEPT);
  key.value = null;
}

function settle(given: boolean): void {
  wanted.value = false;
  const all = waiting;
  waiting = [];
  for (const each of all) each(given);
}
