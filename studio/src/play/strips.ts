/** Curves of joint angles and rows of foot contact, drawn under the time line. */
import { boundsOf, curvesOf, type AngleName } from "./angles";
import type { Clip } from "./clip";
import { SLIDING, contactOf, runsOf } from "./contact";
import { SIDES, type Colours } from "./theme";
import { lengthOf, type Span } from "./timeline";

/** A motion on the time line. */
export interface Track {
  readonly clip: Clip;
  readonly contact: readonly Uint8Array[];
}

export function trackOf(clip: Clip, positions: Float32Array): Track {
  return { clip, contact: contactOf(clip, positions) };
}

export interface Row {
  readonly track: number;
  /** An angle, or null for the contact of the feet. */
  readonly angle: AngleName | null;
  readonly curves: readonly Float32Array[];
  readonly bounds: readonly [number, number];
  /** CSS pixels from the top. */
  readonly top: number;
  readonly height: number;
}

export const HEIGHTS = { angle: 44, contact: 32, gap: 4, apart: 14 } as const;

/** The rows of all tracks, one under the other; equal angles of two tracks on equal scales. */
export function rowsOf(tracks: readonly Track[], angles: readonly AngleName[]): readonly Row[] {
  const curves = tracks.map(({ clip }) => angles.map((name) => curvesOf(clip, name)));
  const bounds = angles.map((_, at) => boundsOf(curves.flatMap((own) => own[at] ?? [])));
  const rows: Row[] = [];
  let top = 0;
  const add = (row: Omit<Row, "top">) => {
    rows.push({ ...row, top });
    top += row.height + HEIGHTS.gap;
  };
  tracks.forEach(({ contact }, track) => {
    if (track > 0) top += HEIGHTS.apart;
    angles.forEach((angle, at) => {
      const own = curves[track]?.[at] ?? [];
      if (own.length === 0) return;
      const height = HEIGHTS.angle;
      add({ track, angle, curves: own, bounds: bounds[at] ?? [0, 1], height });
    });
    if (contact.length === 0) return;
    add({ track, angle: null, curves: [], bounds: [0, 1], height: HEIGHTS.contact });
  });
  return rows;
}

export function heightOf(rows: readonly Row[]): number {
  const last = rows.at(-1);
  return last === undefined ? 0 : last.top + last.height;
}

/** Draws all rows over a width in CSS pixels. */
export function drawn(
  pen: CanvasRenderingContext2D, width: number, rows: readonly Row[], tracks: readonly Track[],
  line: Span, colours: Colours,
): void {
  pen.clearRect(0, 0, width, heightOf(rows));
  for (const row of rows) {
    const track = tracks[row.track];
    if (track === undefined) continue;
    const wide = (width * lengthOf(track.clip)) / lengthOf(line);
    pen.fillStyle = colours.line;
    pen.globalAlpha = 0.25;
    pen.fillRect(0, row.top, wide, row.height);
    pen.globalAlpha = 1;
    if (row.angle === null) feet(pen, row, track, wide, colours);
    else curves(pen, row, track.clip, wide, colours);
  }
}

function curves(
  pen: CanvasRenderingContext2D, row: Row, clip: Clip, wide: number, colours: Colours,
): void {
  const [least, most] = row.bounds;
  const y = (value: number) =>
    row.top + row.height - 3 - ((value - least) / (most - least)) * (row.height - 6);
  if (least < 0 && most > 0) {
    pen.fillStyle = colours.line;
    pen.fillRect(0, Math.round(y(0)), wide, 1);
  }
  pen.lineWidth = 1.5;
  row.curves.forEach((values, side) => {
    pen.strokeStyle = row.curves.length === 1 ? colours.accent : (SIDES[side] ?? SIDES[0]);
    pen.beginPath();
    values.forEach((value, frame) => {
      pen.lineTo(((frame + 0.5) / clip.frames) * wide, y(value));
    });
    pen.stroke();
  });
}

function feet(
  pen: CanvasRenderingContext2D, row: Row, track: Track, wide: number, colours: Colours,
): void {
  const each = row.height / 2;
  track.contact.forEach((states, side) => {
    for (const run of runsOf(states)) {
      pen.fillStyle = run.state === SLIDING ? colours.warn : (SIDES[side] ?? SIDES[0]);
      const from = (run.from / track.clip.frames) * wide;
      const to = (run.to / track.clip.frames) * wide;
      pen.fillRect(from, row.top + side * each + 2, Math.max(1, to - from), each - 4);
    }
  });
}
