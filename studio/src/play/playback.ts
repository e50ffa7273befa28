/** Where a motion is on its time line, and whether it goes on. */
import { batch, computed, signal } from "@preact/signals";

import { advanced, frameAt, geared, lengthOf, secondsAt, type Span } from "./timeline";

export class Playback {
  readonly span = signal<Span>({ frames: 1, fps: 30 });
  readonly frame = signal(0);
  readonly playing = signal(false);
  readonly loop = signal(true);
  readonly speed = signal(1);
  /** Seconds of the frame that is shown. */
  readonly seconds = computed(() => this.frame.value / this.span.value.fps);
  /** Seconds, between frames too while it plays. */
  position = 0;
  private aimed: number | null = null;
  private pending = 0;

  constructor(private readonly moved: () => void) {}

  play(): void {
    const span = this.span.value;
    // From the start again, where it stands at the end.
    if (this.frame.value >= span.frames - 1) this.position = 0;
    this.playing.value = span.frames > 1;
    this.moved();
  }

  /** Stops on a whole frame. */
  pause(): void {
    this.playing.value = false;
    this.seek(this.frame.value);
  }

  toggle(): void {
    if (this.playing.value) this.pause();
    else this.play();
  }

  seek(frame: number): void {
    this.stand(frame);
    this.moved();
  }

  /** To a frame with the next picture: of many that are asked for before it, to the last. */
  aim(frame: number): void {
    this.playing.value = false;
    this.aimed = frame;
    this.moved();
    // Where nothing can be drawn, the time line goes on by itself.
    this.pending ||= requestAnimationFrame(this.land);
  }

  private readonly land = (): void => {
    this.pending = 0;
    if (this.aimed === null) return;
    this.stand(this.aimed);
  };

  private stand(frame: number): void {
    const span = this.span.value;
    this.aimed = null;
    this.position = secondsAt(span, frame);
    this.frame.value = frameAt(span, this.position);
  }

  /** Some frames on or back, stopping where it plays. */
  step(frames: number): void {
    this.playing.value = false;
    this.seek(this.frame.value + frames);
  }

  gear(steps: number): void {
    this.speed.value = geared(this.speed.value, steps);
  }

  /** Lets time pass; whether it goes on. */
  tick(elapsed: number): boolean {
    this.land();
    if (!this.playing.value) return false;
    const span = this.span.value;
    const next = advanced(span, this.position, elapsed, this.speed.value, this.loop.value);
    batch(() => {
      this.position = next.seconds;
      this.frame.value = frameAt(span, next.seconds);
      this.playing.value = next.playing;
    });
    return next.playing;
  }

  /** Another motion: as far through as it was, where it is as long. */
  load(span: Span): void {
    this.span.value = span;
    if (this.position >= lengthOf(span)) this.position = 0;
    this.frame.value = frameAt(span, this.position);
    this.moved();
  }
}
