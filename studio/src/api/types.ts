/** What the server answers, as its OpenAPI document has it. */

export type Task = "motion" | "mesh";
export type State = "queued" | "running" | "succeeded" | "failed" | "cancelled" | "expired";

export const STATES: readonly State[] = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "cancelled",
  "expired",
];

export interface Artifact {
  readonly name: string;
  readonly media_type: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  /** Index of the stage that made it. */
  readonly stage: number;
  /** Signed; good until `expires_at`. The job has fresh ones. */
  readonly url: string;
  readonly expires_at: string;
}

export interface Eta {
  readonly time: string;
  /** From when it was told. */
  readonly seconds: number;
  readonly basis: {
    /** Jobs that wait before it. */
    readonly ahead: number;
    readonly work_ahead_seconds: number;
    readonly replicas: number;
    readonly service_seconds: number;
    readonly measured: boolean;
  };
}

export interface JobError {
  readonly error_code: string;
  readonly detail: string;
  readonly fault: string;
  readonly retry: boolean;
}

export interface JobRequest {
  readonly prompt?: string;
  /** Seconds. */
  readonly duration?: number;
  readonly seed?: number;
  readonly format?: string;
  readonly texture?: boolean;
  readonly faces?: number | null;
  readonly picture?: { readonly width: number; readonly height: number; readonly bytes: number };
  readonly [name: string]: unknown;
}

export interface Job {
  readonly id: string;
  readonly task: Task;
  readonly state: State;
  readonly stage: { readonly index: number; readonly count: number; readonly pool: string };
  /** 0 to 1 over all stages. */
  readonly progress: number;
  readonly phase: string;
  readonly model: { readonly name: string; readonly version: string; readonly simulated: boolean };
  readonly request: JobRequest;
  readonly priority: number;
  readonly attempts: number;
  readonly routed: string;
  readonly cached: boolean;
  readonly joined: boolean;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly deadline: string | null;
  readonly eta: Eta | null;
  readonly artifacts: readonly Artifact[];
  readonly notes: Readonly<Record<string, unknown>>;
  readonly error: JobError | null;
}

export interface JobPage {
  readonly items: readonly Job[];
  readonly next_cursor: string | null;
}

export interface Model {
  readonly name: string;
  readonly version: string;
  readonly task: Task;
  readonly title: string;
  /** The default first. */
  readonly formats: readonly string[];
  readonly languages: readonly string[];
  readonly max_words: number;
  readonly max_cjk: number;
  /** Seconds. */
  readonly min_duration: number | null;
  readonly max_duration: number | null;
  readonly min_faces: number | null;
  readonly max_faces: number | null;
  readonly pools: readonly string[];
  readonly default: boolean;
  readonly embedded: boolean;
  readonly simulated: boolean;
  readonly licence: string;
}

/** RFC 9457, with the platform's own members. */
export interface ProblemDocument {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly error_code: string;
  readonly fault: string;
  readonly retry: boolean;
  readonly request_id: string;
  readonly errors?: readonly FieldProblem[];
}

export interface FieldProblem {
  /** Dotted path; "" for the whole body. */
  readonly field: string;
  readonly problem: string;
  readonly allowed: string;
}

export function ended(job: Pick<Job, "state">): boolean {
  return job.state !== "queued" && job.state !== "running";
}
