import { afterEach, expect, test, vi } from "vitest";

import { follow, Reader, type Told } from "./events";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("events are read whatever pieces they come in", () => {
  const wire =
    "retry: 2000\nevent: submitted\nid: 41\ndata: {\"a\":1}\n\n" +
    ": alive\n\n" +
    "event: progress\r\ndata: {\"b\":\r\ndata: 2}\r\n\r\n";
  for (const size of [1, 2, 7, wire.length]) {
    const reader = new Reader();
    const told: Told[] = [];
    for (let at = 0; at < wire.length; at += size) told.push(...reader.read(wire.slice(at, at + size)));
    expect(told).toEqual([
      { name: "submitted", id: "41", data: { a: 1 } },
      { name: "progress", id: "41", data: { b: 2 } },
    ]);
  }
});

test("a stream that breaks goes on after the last event", async () => {
  vi.useFakeTimers();
  const asked: (string | null)[] = [];
  const streams = [
    "event: submitted\nid: 7\ndata: {}\n\nevent: pro",
    "event: succeeded\nid: 9\ndata: {}\n\n",
  ];
  vi.stubGlobal("fetch", (_: string, init: { headers: Record<string, string> }) => {
    asked.push(init.headers["Last-Event-ID"] ?? null);
    return Promise.resolve(new Response(streams.shift() ?? null));
  });
  const told: string[] = [];
  const all = (async () => {
    const over = (each: Told) => each.name === "succeeded";
    for await (const each of follow("v1/jobs/x/events", over, new AbortController().signal))
      told.push(each.name);
  })();
  await vi.runAllTimersAsync();
  await all;
  expect(told).toEqual(["submitted", "succeeded"]);
  expect(asked).toEqual([null, "7"]);
});
