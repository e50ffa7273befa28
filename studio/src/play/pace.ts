/** How many pixels moving pictures may have, learnt from how long they take. */

/** ms between two pictures from which it is no longer smooth, and up to which there is room. */
const SLOW = 45;
const QUICK = 20;
/** Pictures over which they are judged, and over which it is tried finer again. */
const SEVERAL = 4;
const MANY = 60;
/** Halvings of the pixels. */
const COARSEST = 2;
/** A halving that leaves more than this of the time was in vain: something else takes it. */
const WORTH = 0.85;
/** Pixels of a moving picture that the processor draws, at the most. */
const DRAWN = 160_000;

export class Pace {
  private halvings = 0;
  private sum = 0;
  private count = 0;
  private before: number | null = null;
  private coarsest = COARSEST;

  constructor(private readonly software: boolean) {}

  /** The browser was ready so many ms after a picture; whether its number of pixels changes. */
  took(interval: number): boolean {
    this.sum += interval;
    this.count += 1;
    if (this.count < SEVERAL) return false;
    const mean = this.sum / this.count;
    const was = this.halvings;
    if (this.before !== null && mean > WORTH * this.before) {
      this.halvings -= 1;
      this.coarsest = this.halvings;
    } else if (mean > SLOW) this.halvings = Math.min(this.coarsest, was + 1);
    else if (this.count < MANY && this.before === null) return false;
    else if (mean < QUICK && this.before === null) this.halvings = Math.max(0, was - 1);
    this.before = this.halvings > was ? mean : null;
    this.sum = this.count = 0;
    return this.halvings !== was;
  }

  /** The share of a sharp picture's edges that a moving one has, given its pixels. */
  share(pixels: number): number {
    const most = this.software ? Math.min(1, DRAWN / pixels) : 1;
    return Math.sqrt(most * 0.5 ** this.halvings);
  }
}
