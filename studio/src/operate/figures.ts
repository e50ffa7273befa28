/** Numbers as people read them. */
import { tag } from "../shell/words";

export const NOTHING = "–";

export function number(value: number | null, digits = 3): string {
  if (value === null || !Number.isFinite(value)) return NOTHING;
  return new Intl.NumberFormat(tag.value, { maximumSignificantDigits: digits }).format(value);
}

export function whole(value: number): string {
  return new Intl.NumberFormat(tag.value, { maximumFractionDigits: 0 }).format(value);
}

export function share(value: number | null): string {
  if (value === null) return NOTHING;
  const style = { style: "percent", maximumFractionDigits: value < 0.1 ? 1 : 0 } as const;
  return new Intl.NumberFormat(tag.value, style).format(value);
}

/** Seconds, in the unit that fits. */
export function time(seconds: number | null): string {
  if (seconds === null) return NOTHING;
  if (seconds > 0 && seconds < 1) return `${number(seconds * 1000, 2)} ms`;
  if (seconds < 120) return `${number(seconds, 3)} s`;
  if (seconds < 7200) return `${number(seconds / 60, 3)} min`;
  return `${number(seconds / 3600, 3)} h`;
}

export function bytes(value: number | null): string {
  if (value === null) return NOTHING;
  for (const [size, unit] of [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"],
  ] as const)
    if (value >= size) return `${number(value / size, 3)} ${unit}`;
  return `${number(value)} B`;
}

/** An amount; without a currency the number alone. */
export function money(amount: number | null, currency: string): string {
  if (amount === null) return NOTHING;
  if (!currency) return number(amount, 3);
  const digits = { minimumSignificantDigits: 2, maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(tag.value, { style: "currency", currency, ...digits }).format(amount);
}

export function moment(text: string | null): string {
  if (text === null) return NOTHING;
  const style = { dateStyle: "short", timeStyle: "medium" } as const;
  return new Intl.DateTimeFormat(tag.value, style).format(new Date(text));
}

/** "10, 25, 50" as percentages; null where that is not what it says. */
export function steps(text: string): readonly number[] | null {
  const found = text
    .split(/[\s,，、;；%％]+/)
    .filter(Boolean)
    .map(Number);
  const rising = found.every((each, index) => each > (found[index - 1] ?? 0) && each <= 100);
  return found.length > 0 && rising ? found : null;
}
