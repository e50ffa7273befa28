import { expect, test } from "vitest";

import { Pace } from "./pace";

const FULL = 1_000_000;

function fed(pace: Pace, interval: number, times: number): number {
  let changes = 0;
  for (let n = 0; n < times; n += 1) changes += Number(pace.took(interval));
  return changes;
}

test("quick pictures stay as sharp as they are", () => {
  const pace = new Pace(false);
  expect(fed(pace, 16, 500)).toBe(0);
  expect(pace.share(FULL)).toBe(1);
});

test("what the processor draws begins with fewer pixels", () => {
  expect(new Pace(true).share(FULL)).toBeCloseTo(0.4);
  expect(new Pace(true).share(100_000)).toBe(1);
});

test("slow pictures lose pixels while that helps, and get them back", () => {
  const pace = new Pace(false);
  expect(fed(pace, 120, 4)).toBe(1);
  expect(pace.share(FULL) ** 2).toBeCloseTo(0.5);
  expect(fed(pace, 65, 4)).toBe(1);
  expect(pace.share(FULL) ** 2).toBeCloseTo(0.25);
  // No coarser than that, however slow; and a mean in between changes nothing.
  expect(fed(pace, 50, 40) + fed(pace, 30, 200)).toBe(0);
  expect(fed(pace, 10, 200)).toBe(2);
  expect(pace.share(FULL)).toBe(1);
});

test("pixels that were lost in vain are given back for good", () => {
  const pace = new Pace(true);
  expect(fed(pace, 100, 4)).toBe(1);
  expect(fed(pace, 95, 4)).toBe(1);
  expect(pace.share(FULL)).toBeCloseTo(0.4);
  expect(fed(pace, 100, 100)).toBe(0);
});
