import type { FieldProblem, ProblemDocument } from "./types";

/** The server said no, and why. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  /** Stable, such as `PROMPT_TOO_LONG`; `HTTP_502` where something before the server answered. */
  readonly code: string;
  readonly retry: boolean;
  readonly fields: readonly FieldProblem[];
  readonly requestId: string;
  /** Seconds until it is worth asking again, where the server said. */
  readonly after: number | null;

  constructor(status: number, told: Partial<ProblemDocument>, after: number | null) {
    super(told.detail ?? told.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = told.error_code ?? `HTTP_${status}`;
    this.retry = told.retry ?? status >= 500;
    this.fields = told.errors ?? [];
    this.requestId = told.request_id ?? "";
    this.after = after;
  }
}

/** The server was not reached, or went silent. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

export async function problemOf(answer: Response): Promise<Problem> {
  const after = Number.parseFloat(answer.headers.get("Retry-After") ?? "");
  let told: Partial<ProblemDocument> = {};
  try {
    told = (await answer.json()) as Partial<ProblemDocument>;
  } catch {
    // A proxy's page: the status has to do.
  }
  return new Problem(answer.status, told, Number.isFinite(after) ? after : null);
}

export function aborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
