/** Server-sent events (WHATWG HTML, 9.2) by fetch, which can send a key, unlike EventSource. */
import { aborted, Problem } from "./problem";
import { backOff, pause } from "./pause";
import { lost, reachable, reached } from "./reach";
import { request } from "./request";

export interface Told {
  readonly name: string;
  /** Of the last event that had one, this one included. */
  readonly id: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The server breathes every 15 s; three breaths missed, and the connection is dead. */
const SILENCE = 45_000;

/** Turns pieces of a stream into its events. */
export class Reader {
  private rest = "";
  private name = "";
  private data: string[] = [];
  private id: string | null = null;

  /** The events that end within this piece. */
  read(piece: string): Told[] {
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): Told[] {
    if (line === "") return this.end();
    const [field = "", ...rest] = line.split(":");
    const value = rest.join(":").replace(/^ /, "");
    if (field === "event") this.name = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.id = value;
    return [];
  }

  private end(): Told[] {
    const { name, data } = this;
    this.name = "";
    this.data = [];
    if (data.length === 0) return [];
    const told = JSON.parse(data.join("\n")) as Readonly<Record<string, unknown>>;
    return [{ name: name || "message", id: this.id, data: told }];
  }
}

/**
 * Everything that a stream tells, across lost connections, until the server says that there is no
 * more. `over` tells of an event whether it is the last. Throws Problem; returns when stopped.
 */
export async function* follow(
  path: string,
  over: (told: Told) => boolean,
  stop: AbortSignal,
): AsyncGenerator<Told, void> {
  let last: string | null = null;
  let failures = 0;
  while (!stop.aborted) {
    const line = new AbortController();
    const cut = () => {
      line.abort();
    };
    stop.addEventListener("abort", cut);
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (last !== null) headers["Last-Event-ID"] = last;
      const answer = await request(path, { headers, stop: line.signal, quiet: true });
      if (answer.status === 204 || answer.body === null) return;
      const reader = new Reader();
      for await (const piece of pieces(answer.body, cut)) {
        for (const told of reader.read(piece)) {
          failures = 0;
          last = told.id ?? last;
          yield told;
          if (over(told)) return;
        }
      }
    } catch (error) {
      if (error instanceof Problem && error.status < 500 && error.status !== 429) throw error;
      // A stream that is cut while it is read is a connection lost, too.
      if (!(error instanceof Problem) && !aborted(error)) lost();
    } finally {
      stop.removeEventListener("abort", cut);
      cut();
    }
    failures += 1;
    if (!reachable.value) await reached(stop);
    await pause(backOff(failures), stop);
  }
}

/** What comes, as text; `silent` is called when nothing has come for too long. */
async function* pieces(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  silent: () => void,
): AsyncGenerator<string, void> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      timer = setTimeout(silent, SILENCE);
      const { done, value } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      yield value;
    }
  } finally {
    clearTimeout(timer);
    reader.releaseLock();
  }
}
