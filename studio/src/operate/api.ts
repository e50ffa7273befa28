/** What operators ask of the server. */
import { ask, type Job, type JobPage, type Task } from "../api";

export interface Member {
  readonly name: string;
  readonly state: string;
  readonly device: string;
  readonly device_name: string;
  readonly device_bytes: number | null;
  readonly memory_bytes: number;
  readonly profile: string;
  readonly last_error: string;
  readonly tier: string;
  readonly jobs: number;
  readonly health: Health | null;
}

export interface Health {
  readonly used_bytes: number | null;
  /** Share, 0 to 1. */
  readonly busy: number | null;
  readonly celsius: number | null;
  readonly watts: number | null;
  readonly throttled: boolean | null;
}

export interface Plan {
  readonly replicas: number;
  readonly tiers: Readonly<Record<string, number>>;
  readonly reason: string;
  readonly policy: string;
}

export interface Pool {
  readonly name: string;
  readonly model: { readonly name: string; readonly version: string; readonly simulated: boolean };
  readonly replicas: Readonly<Record<string, number>>;
  readonly waiting: number;
  readonly running: number;
  /** Seconds. */
  readonly oldest_wait: number | null;
  readonly detail: string;
  readonly members: readonly Member[];
  readonly plan: Plan | null;
  readonly recent: {
    readonly seconds: number;
    readonly succeeded: number;
    readonly failed: number;
    readonly p50: number | null;
    readonly p95: number | null;
  };
  readonly cost: {
    readonly hour: number;
    readonly asset: number | null;
    readonly currency: string;
  } | null;
}

export interface Pair {
  readonly stable: number | null;
  readonly canary: number | null;
}

export interface Figures {
  readonly canary_percent: number;
  readonly canary_users: number;
  readonly threshold: number;
  readonly jobs: { readonly stable: number; readonly canary: number };
  readonly p95_seconds: Pair;
  readonly p95_running_seconds: Pair;
  readonly memory_bytes: Pair;
  readonly device_bytes: Pair;
  readonly tests: Readonly<
    Record<string, { readonly evidence: number; readonly stable: number; readonly canary: number }>
  >;
}

export type ReleaseState = "running" | "paused" | "promoted" | "rolled_back" | "aborted";

export interface Release {
  readonly id: string;
  readonly task: Task;
  readonly stable: string;
  readonly canary: string;
  readonly state: ReleaseState;
  readonly step: number;
  readonly terms: { readonly steps: readonly number[]; readonly hold_seconds: number };
  readonly figures: Figures;
  readonly record: readonly { readonly at: string; readonly what: string; readonly why: string }[];
  /** Pairs that people rated. */
  readonly ratings: { readonly stable: number; readonly canary: number; readonly same: number };
}

export interface ReleaseAsk {
  readonly canary: string;
  readonly steps: readonly number[];
  readonly hold_seconds: number;
  readonly samples: number;
}

export type Scope = "generate" | "operate";

export interface Key {
  readonly id: string;
  readonly user: string;
  readonly scopes: readonly Scope[];
  readonly label: string;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
  readonly last_used_at: string | null;
}

export interface KeyPage {
  readonly items: readonly Key[];
  readonly next_cursor: string | null;
}

export interface Curve {
  /** Seconds from the first job. */
  readonly at: readonly number[];
  readonly paid: readonly number[];
  readonly ready: readonly number[];
  readonly waiting: readonly number[];
}

export interface Line {
  readonly policy: string;
  readonly wait_mean: number;
  readonly wait_p50: number;
  readonly wait_p95: number;
  readonly wait_p99: number;
  readonly wait_max: number;
  readonly met: number;
  readonly replica_hours: number;
  readonly cost: number | null;
  readonly starts: number;
  readonly replicas_mean: number;
  readonly replicas_max: number;
  readonly busy: number;
  readonly curve: Curve;
}

export interface Simulation {
  readonly pool: string;
  readonly began_at: string;
  readonly seconds: number;
  readonly jobs: number;
  readonly cut: boolean;
  readonly currency: string;
  readonly running: Line;
  readonly asked: Line;
}

export interface SimulationAsk {
  readonly pool: string;
  readonly hours: number;
  readonly policy: {
    readonly policy: string;
    readonly minimum: number;
    readonly maximum: number;
    readonly spare: number;
  };
}

export async function pools(stop?: AbortSignal): Promise<readonly Pool[]> {
  return (await ask<{ items: readonly Pool[] }>("v1/pools", { stop })).items;
}

export async function releases(stop?: AbortSignal): Promise<readonly Release[]> {
  return (await ask<{ items: readonly Release[] }>("v1/releases", { stop })).items;
}

export function startRelease(task: Task, body: ReleaseAsk): Promise<Release> {
  return ask(`v1/releases/${task}`, { method: "PUT", body });
}

export type Order = "pause" | "resume" | "promote" | "abort";

export function orderRelease(task: Task, order: Order): Promise<Release> {
  return ask(`v1/releases/${task}/${order}`, { method: "POST" });
}

/** Says which of two jobs is better; null for neither. */
export function ratePair(
  task: Task, jobs: readonly [string, string], better: string | null,
): Promise<Release> {
  return ask(`v1/releases/${task}/ratings`, { method: "POST", body: { jobs, better } });
}

export function deadLetters(cursor: string | null, stop?: AbortSignal): Promise<JobPage> {
  return ask("v1/jobs", { query: { state: ["failed", "expired"], cursor, limit: 50 }, stop });
}

export function revive(id: string): Promise<Job> {
  return ask(`v1/jobs/${encodeURIComponent(id)}/revive`, { method: "POST" });
}

export function keys(cursor: string | null, stop?: AbortSignal): Promise<KeyPage> {
  return ask("v1/keys", { query: { cursor, limit: 50 }, stop });
}

export function createKey(body: {
  user: string;
  scopes: readonly Scope[];
  label: string;
}): Promise<Key & { readonly key: string }> {
  return ask("v1/keys", { method: "POST", body });
}

export function revokeKey(id: string): Promise<Key> {
  return ask(`v1/keys/${encodeURIComponent(id)}`, { method: "DELETE" });
}

export function simulate(body: SimulationAsk, stop?: AbortSignal): Promise<Simulation> {
  return ask("v1/simulations", { method: "POST", body, stop });
}
