/** Arithmetic of the time line: seconds, frames, places. Frame k is shown from k/fps on. */

export interface Span {
  readonly frames: number;
  /** Frames a second. */
  readonly fps: number;
}

export const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2] as const;

/** Seconds that it lasts when each frame is shown for 1/fps. */
export function lengthOf(span: Span): number {
  return span.frames / span.fps;
}

/** One time line for several motions: as long as the longest, as fine as the finest. */
export function together(spans: readonly Span[]): Span {
  const fps = Math.max(1, ...spans.map((span) => span.fps));
  const length = Math.max(0, ...spans.map(lengthOf));
  return { fps, frames: Math.max(1, Math.round(length * fps)) };
}

/** The frame shown at a time; before and after, the first and the last. */
export function frameAt(span: Span, seconds: number): number {
  // Sums of 1/30 fall short of whole frames by rounding.
  return clamped(Math.floor(seconds * span.fps + 1e-6), span);
}

/** The place between frames at a time, for poses in between; whole at the last frame. */
export function placeAt(span: Span, seconds: number): number {
  return Math.max(0, Math.min(span.frames - 1, seconds * span.fps));
}

export function secondsAt(span: Span, frame: number): number {
  return clamped(frame, span) / span.fps;
}

/** The frame under a point of the time line, 0 to 1 from its left end. */
export function frameUnder(span: Span, share: number): number {
  return clamped(Math.floor(share * span.frames), span);
}

export interface Going {
  readonly seconds: number;
  readonly playing: boolean;
}

/** Where a motion is after some more time: round again in a loop, else stopped at its end. */
export function advanced(
  span: Span, seconds: number, elapsed: number, speed: number, loop: boolean,
): Going {
  const length = lengthOf(span);
  const next = seconds + elapsed * speed;
  if (next < length) return { seconds: Math.max(0, next), playing: true };
  if (loop) return { seconds: next % length, playing: true };
  return { seconds: secondsAt(span, span.frames - 1), playing: false };
}

/** The next speed slower or faster. */
export function geared(speed: number, steps: number): number {
  const now = SPEEDS.findIndex((one) => one >= speed);
  const next = Math.max(0, Math.min(SPEEDS.length - 1, (now < 0 ? SPEEDS.length : now) + steps));
  return SPEEDS[next] ?? 1;
}

function clamped(frame: number, span: Span): number {
  return Math.max(0, Math.min(span.frames - 1, Math.round(frame)));
}
