/** Requests to the server: signed in where it wants, failures as `Problem` or `Unreachable`. */
import { askForKey, key } from "./access";
import { aborted, Problem, problemOf, Unreachable } from "./problem";
import { backOff, pause } from "./pause";
import { at, found, lost, reached } from "./reach";

export type Query = Readonly<Record<string, string | number | readonly string[] | null | undefined>>;

export interface Options {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly query?: Query;
  /** Sent as JSON, or as it is where it is a form. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly stop?: AbortSignal | undefined;
  /** Whether nobody is asked for a key, because nobody did anything that needs one now. */
  readonly quiet?: boolean;
}

/** A path of the API with its query, as an address. */
export function address(path: string, query: Query = {}): string {
  const found = new URL(at(path));
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined) continue;
    for (const each of typeof value === "object" ? value : [value])
      found.searchParams.append(name, String(each));
  }
  return found.href;
}

/** The answer, of a status below 400. Throws Problem, Unreachable, and AbortError when stopped. */
export async function request(path: string, options: Options = {}): Promise<Response> {
  for (;;) {
    const answer = await once(path, options);
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (problem.status !== 401 || options.quiet || !(await askForKey())) throw problem;
  }
}

/** The JSON that the server answers. */
export async function ask<T>(path: string, options: Options = {}): Promise<T> {
  return (await (await request(path, options)).json()) as T;
}

/**
 * Make something, once: however often the connection is lost on the way, the key that goes with
 * every try makes them one.
 */
export async function make<T>(path: string, body: unknown, stop?: AbortSignal): Promise<T> {
  const headers = { "Idempotency-Key": drawn() };
  for (let failures = 1; ; failures += 1) {
    try {
      return await ask<T>(path, { method: "POST", body, headers, stop });
    } catch (error) {
      if (aborted(error) || failures >= MOST) throw error;
      if (error instanceof Unreachable) await reached(stop);
      else if (error instanceof Problem && [502, 504].includes(error.status))
        await pause(backOff(failures), stop);
      else throw error;
      stop?.throwIfAborted();
    }
  }
}

const MOST = 8;

async function once(path: string, options: Options): Promise<Response> {
  const headers: Record<string, string> = { ...options.headers };
  if (key.value !== null) headers["X-API-Key"] = key.value;
  let body: BodyInit | null = null;
  if (options.body instanceof FormData) body = options.body;
  else if (options.body !== undefined) {
    body = JSON.stringify(options.body);
    headers["Content-Type"] = "application/json";
  }
  try {
    const answer = await fetch(address(path, options.query), {
      method: options.method ?? "GET",
      headers,
      body,
      signal: options.stop ?? null,
      cache: "no-store",
      credentials: "omit",
    });
    found();
    return answer;
  } catch (error) {
    if (aborted(error)) throw error;
    lost();
    throw new Unreachable(path, { cause: error });
  }
}

/** `crypto.randomUUID` is only there over https and on this machine. */
function drawn(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) =>
    b.toString(16).padStart(2, "0"),
  ).join("");
}
