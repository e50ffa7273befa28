// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";

import { bytes, money, share, steps, time } from "./figures";
import { added, ceiling, path, picked, type Sample, series } from "./history";

describe("what is remembered", () => {
  it("keeps the last samples, and tells what was not known", () => {
    let samples: readonly Sample[] = [];
    for (let at = 0; at < 5; at += 1)
      samples = added(samples, { at, values: { waiting: at, p95: at === 3 ? null : at } }, 3);
    expect(series(samples, "waiting")).toEqual([2, 3, 4]);
    expect(series(samples, "p95")).toEqual([2, null, 4]);
    expect(series(samples, "unknown")).toEqual([null, null, null]);
  });

  it("is shown under a round number", () => {
    expect(ceiling([])).toBe(1);
    expect(ceiling([null, 0])).toBe(1);
    expect(ceiling([3])).toBe(5);
    expect(ceiling([0.2])).toBeCloseTo(0.2);
    expect(ceiling([101])).toBe(200);
  });

  it("is a line with gaps, or steps", () => {
    const box = { width: 100, height: 10, top: 2 };
    expect(path([0, 1, 2], [0, 1, 2], box)).toBe("M0 10L50 5L100 0");
    expect(path([0, 1, 2], [0, null, 4], box)).toBe("M0 10M100 0");
    expect(path([0, 4], [1, 2], box, true)).toBe("M0 5H100V0");
    expect(path([], [], box)).toBe("");
    expect(path([7], [2], box)).toBe("M0 0");
  });

  it("is a table of a few rows", () => {
    expect(picked(3, 5)).toEqual([0, 1, 2]);
    expect(picked(100, 3)).toEqual([0, 50, 99]);
  });
});

describe("figures", () => {
  it("have the unit that fits", () => {
    expect([time(0.0421), time(3), time(600), time(9000), time(null)]).toEqual(
      ["42 ms", "3 s", "10 min", "2.5 h", "–"],
    );
    expect([bytes(3 * 2 ** 30), bytes(512), bytes(null)]).toEqual(["3 GiB", "512 B", "–"]);
    expect([share(0.875), share(0.0123)]).toEqual(["88%", "1.2%"]);
    expect([money(0.00241, "USD"), money(0.8, "USD"), money(2, ""), money(null, "USD")]).toEqual(
      ["$0.00241", "$0.80", "2", "–"],
    );
  });

  it("are read as people write steps", () => {
    expect(steps("10, 25 50，100%")).toEqual([10, 25, 50, 100]);
    expect([steps(""), steps("10, 5"), steps("ten"), steps("120"), steps("0")]).toEqual(
      [null, null, null, null, null],
    );
  });
});
