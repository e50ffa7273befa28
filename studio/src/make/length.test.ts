import { expect, test } from "vitest";

import { seedOf } from "./draft";
import { lengthOf } from "./length";

const MODEL = { max_words: 30, max_cjk: 60 };

test("prompts are counted as the server counts them", () => {
  expect(lengthOf("", MODEL)).toEqual({ count: 0, limit: 30, unit: "words" });
  expect(lengthOf("he walks – then  waves!", MODEL)).toEqual({ count: 4, limit: 30, unit: "words" });
  expect(lengthOf("一个舞者旋转", MODEL)).toEqual({ count: 6, limit: 60, unit: "characters" });
  expect(lengthOf("旋转 jump", MODEL)).toEqual({ count: 2, limit: 30, unit: "words" });
  expect(lengthOf("旋转旋转 jump", MODEL)).toEqual({ count: 6, limit: 60, unit: "characters" });
});

test("a seed is 32 bits without a sign", () => {
  expect(["0", "4294967295", "4294967296", "-1", "1.5", "", "x"].map(seedOf)).toEqual([
    0, 4294967295, null, null, null, null, null,
  ]);
});
