import { expect, test } from "vitest";

import { address, parse } from "./route";

test("an address leads back to where it was made", () => {
  expect(parse(address("job", "01/é?"))).toMatchObject({ page: "job", rest: ["01/é?"] });
});

test("what nobody wrote is the first page", () => {
  for (const hash of ["", "#", "#/"]) expect(parse(hash).page).toBe("make");
  expect(parse("#/job/%E0%A4").rest).toEqual(["%E0%A4"]);
  expect(parse("#/library?state=failed").query.get("state")).toBe("failed");
});
