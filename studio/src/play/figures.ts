/** Numbers as they are read. */
import { tag } from "../shell/words";

export function number(value: number, places = 0): string {
  return value.toLocaleString(tag.value, {
    minimumFractionDigits: places, maximumFractionDigits: places,
  });
}

/** Three digits that count, whatever the size. */
export function significant(value: number): string {
  return value.toLocaleString(tag.value, { maximumSignificantDigits: 3 });
}

/** A measure with its unit; shares, which have none, as they are. */
export function measured(value: number | null, unit: string): string {
  if (value === null) return "–";
  const space = unit === "" || unit === "°" || unit === "%" ? "" : " ";
  return significant(value) + space + unit;
}

export function extents(sizes: readonly number[]): string {
  return sizes.map(significant).join(" × ");
}
