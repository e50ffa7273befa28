/** What the quality checks found, by frame. */
import type { Span } from "./timeline";

export interface Measure {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  /** `pass`, `warn` or `fail`. */
  readonly verdict: string;
  readonly warn_at: number | null;
  readonly fail_at: number | null;
  /** Frames at fault, at most 20. */
  readonly frames: readonly number[];
  readonly joints: readonly string[];
}

export interface Report {
  readonly verdict: string;
  readonly measures: readonly Measure[];
}

/** `note`: there are frames at fault, and few enough to pass. */
export type Weight = "fail" | "warn" | "note";

export interface Finding {
  readonly measure: Measure;
  readonly weight: Weight;
  /** Stretches of frames, first and last included. */
  readonly runs: readonly (readonly [number, number])[];
}

const ORDER: readonly Weight[] = ["fail", "warn", "note"];

/** Everything at fault, the gravest first. */
export function findingsOf(report: Report): readonly Finding[] {
  const found = report.measures.flatMap((measure): Finding[] => {
    const { verdict, frames } = measure;
    const weight = verdict === "fail" || verdict === "warn" ? verdict : "note";
    if (weight === "note" && frames.length === 0) return [];
    return [{ measure, weight, runs: stretches(frames) }];
  });
  return found.sort((a, b) => ORDER.indexOf(a.weight) - ORDER.indexOf(b.weight));
}

/** Neighbouring frames as stretches. */
export function stretches(frames: readonly number[]): readonly (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (const frame of [...frames].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && frame <= last[1] + 1) last[1] = frame;
    else runs.push([frame, frame]);
  }
  return runs;
}

/** Where a stretch of a motion's frames lies on a time line, as shares of its length. */
export function placed(
  run: readonly [number, number], own: Span, line: Span,
): { readonly from: number; readonly width: number } {
  const scale = line.fps / own.fps / line.frames;
  return { from: run[0] * scale, width: (run[1] + 1 - run[0]) * scale };
}
