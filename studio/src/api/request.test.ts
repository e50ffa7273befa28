import { afterEach, expect, test, vi } from "vitest";

import { key, signIn, wanted } from "./access";
import { backOff } from "./pause";
import { Problem } from "./problem";
import { reachable } from "./reach";
import { address, ask, make } from "./request";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  sessionStorage.clear();
  key.value = null;
});

interface Sent {
  readonly url: string;
  readonly headers: Record<string, string>;
}

function server(answer: (sent: Sent, count: number) => Response): Sent[] {
  const all: Sent[] = [];
  vi.stubGlobal("fetch", (url: string, init?: RequestInit) => {
    if (url.endsWith("/health")) return Promise.resolve(new Response("{}"));
    const sent = { url, headers: { ...(init?.headers as Record<string, string>) } };
    all.push(sent);
    return Promise.resolve().then(() => answer(sent, all.length));
  });
  return all;
}

test("what is made is made once, however often the connection is lost", async () => {
  vi.useFakeTimers();
  const sent = server((_, count) => {
    if (count < 3) throw new TypeError("lost");
    return Response.json({ id: "1" });
  });
  const made = make<{ id: string }>("v1/motions", { prompt: "walk" });
  await vi.runAllTimersAsync();
  expect(await made).toEqual({ id: "1" });
  expect(sent).toHaveLength(3);
  expect(new Set(sent.map((each) => each.headers["Idempotency-Key"])).size).toBe(1);
  expect(reachable.value).toBe(true);
});

test("a refusal is told with its code and fields, and not repeated", async () => {
  const fields = [{ field: "prompt", problem: "is empty", allowed: "a sentence" }];
  const told = { error_code: "INVALID_REQUEST", detail: "No.", errors: fields, retry: false };
  const sent = server(() => Response.json(told, { status: 422 }));
  const caught: unknown = await make("v1/motions", {}).catch((error: unknown) => error);
  expect(caught).toBeInstanceOf(Problem);
  expect(caught).toMatchObject({ code: "INVALID_REQUEST", message: "No.", fields, retry: false });
  expect(sent).toHaveLength(1);
});

test("a page that something before the server sends is a problem, too", async () => {
  server(() => new Response("<h1>502</h1>", { status: 502 }));
  await expect(ask("v1/jobs")).rejects.toMatchObject({ code: "HTTP_502", retry: true });
});

test("a server that wants a key is asked again with it, and the key is in no address", async () => {
  const sent = server(({ headers }) =>
    headers["X-API-Key"] === "k" ? Response.json([]) : Response.json({}, { status: 401 }),
  );
  const answer = ask("v1/jobs");
  await vi.waitUntil(() => wanted.value);
  signIn("k");
  expect(await answer).toEqual([]);
  expect(sent.every((each) => !each.url.includes("k="))).toBe(true);
  expect(wanted.value).toBe(false);
});

test("lists in a query are repeated names, and what is missing is left out", () => {
  const made = new URL(address("v1/jobs", { state: ["queued", "running"], limit: 2, task: null }));
  expect(made.search).toBe("?state=queued&state=running&limit=2");
});

test("pauses grow to a limit, and are not all alike", () => {
  expect([1, 2, 3].map((each) => backOff(each, () => 1))).toEqual([500, 1000, 2000]);
  expect(backOff(1, () => 0)).toBe(250);
  expect(backOff(50, () => 1)).toBe(15_000);
});
