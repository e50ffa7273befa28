/** When a foot is on the ground, by the thresholds of the server's quality checks. */
import { vector, type Clip } from "./clip";

/** m: the ball of a foot below this is on the ground. */
const NEAR_GROUND = 0.05;
/** m/s over the ground, in a frame and in the mean of five, beyond which a foot on it slides. */
const SKATING_SPEED = 0.5;

export const AIR = 0;
export const GROUND = 1;
export const SLIDING = 2;

/** For the left and the right foot what it does in each frame; empty for other skeletons. */
export function contactOf(clip: Clip, positions: Float32Array): readonly Uint8Array[] {
  const joints = clip.names.length;
  const feet = ["L_Foot", "R_Foot"].map((name) => clip.names.indexOf(name));
  if (feet.includes(-1)) return [];
  const { frames, fps } = clip;
  return feet.map((foot) => {
    const at = (frame: number) => vector(positions, frame * joints + foot);
    const speeds = new Float32Array(Math.max(0, frames - 1)).map((_, step) => {
      const [[x, , z], [px, , pz]] = [at(step + 1), at(step)];
      return Math.hypot(x - px, z - pz) * fps;
    });
    return new Uint8Array(frames).map((_, frame) => {
      if (at(frame)[1] >= NEAR_GROUND) return AIR;
      const slides =
        frame > 0 && at(frame - 1)[1] < NEAR_GROUND &&
        (speeds[frame - 1] ?? 0) > SKATING_SPEED && meanOfFive(speeds, frame - 1) > SKATING_SPEED;
      return slides ? SLIDING : GROUND;
    });
  });
}

/** Of a value, the two before and the two after; those at the ends count again. */
function meanOfFive(values: Float32Array, at: number): number {
  let sum = 0;
  for (let step = at - 2; step <= at + 2; step += 1) {
    sum += values[Math.max(0, Math.min(values.length - 1, step))] ?? 0;
  }
  return sum / 5;
}

export interface Run {
  readonly from: number;
  /** The first frame after it. */
  readonly to: number;
  readonly state: number;
}

/** Stretches of equal states, those in the air left out. */
export function runsOf(states: Uint8Array): readonly Run[] {
  const runs: Run[] = [];
  let from = 0;
  for (let frame = 1; frame <= states.length; frame += 1) {
    if (states[frame] === states[from]) continue;
    const state = states[from] ?? AIR;
    if (state !== AIR) runs.push({ from, to: frame, state });
    from = frame;
  }
  return runs;
}
