/** What a page remembers of figures that it looked at, and how a chart shows them. */

export interface Sample {
  /** Milliseconds, of a clock that does not jump. */
  readonly at: number;
  readonly values: Readonly<Record<string, number | null>>;
}

/** Five minutes at a look every two seconds. */
export const KEPT = 150;

/** The samples with one more, the oldest left out beyond `most`. */
export function added(
  samples: readonly Sample[],
  sample: Sample,
  most: number = KEPT,
): readonly Sample[] {
  return [...samples, sample].slice(-most);
}

/** The values of one name; null where it was not known. */
export function series(samples: readonly Sample[], name: string): readonly (number | null)[] {
  return samples.map((each) => each.values[name] ?? null);
}

/** A round number that no value is above: 1, 2 or 5 times a power of ten. */
export function ceiling(values: readonly (number | null)[]): number {
  const most = Math.max(0, ...values.map((each) => each ?? 0));
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [1, 2, 5, 10].find((each) => each * power >= most * (1 - 1e-9)) ?? 10;
  return step * power;
}

/**
 * An SVG path through values at `times`, in a box of `width` by `height` with 0 at its bottom; what
 * is not known is a gap. With `stepped`, a value holds until the next.
 */
export function path(
  times: readonly number[],
  values: readonly (number | null)[],
  box: { readonly width: number; readonly height: number; readonly top: number },
  stepped = false,
): string {
  const first = times[0] ?? 0;
  const span = Math.max((times.at(-1) ?? 0) - first, 1e-9);
  const parts: string[] = [];
  let drawing = false;
  values.forEach((value, index) => {
    if (value === null) {
      drawing = false;
      return;
    }
    const x = short((((times[index] ?? first) - first) / span) * box.width);
    const y = short(box.height * (1 - Math.min(value / box.top, 1)));
    if (!drawing) parts.push(`M${x} ${y}`);
    else parts.push(stepped ? `H${x}V${y}` : `L${x} ${y}`);
    drawing = true;
  });
  return parts.join("");
}

/** At most `most` indices, evenly spread, the first and the last among them. */
export function picked(length: number, most: number): readonly number[] {
  if (length <= most) return Array.from({ length }, (_, index) => index);
  return Array.from({ length: most }, (_, index) => Math.round((index * (length - 1)) / (most - 1)));
}

function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}
