/** A job as a command or a program that makes the same again. */
import { endingOf, formatOf, resultOf, type Job } from "./job";

/** What of a request a caller may send again, by task. */
const SENT: Readonly<Record<string, readonly string[]>> = {
  motion: ["prompt", "duration", "seed", "format"],
  mesh: ["texture", "faces", "seed", "format"],
};

function asked(job: Job): readonly (readonly [string, unknown])[] {
  const { request } = job;
  const kept = (SENT[job.task] ?? []).filter((name) => request[name] != null);
  return [...kept.map((name) => [name, request[name]] as const), ["model", job.model.name]];
}

/** For a shell; `$KINESPHERE_API_KEY` is left to it where the server asks who is there. */
export function curl(job: Job, server: string, signedIn: boolean): string {
  const who = signedIn ? ` \\\n  -H "Authorization: Bearer $KINESPHERE_API_KEY"` : "";
  const start = `curl ${quoted(`${server}/v1/${job.task}s`)}${who} \\\n  -H 'Prefer: wait=60'`;
  if (job.task === "motion") {
    const body = quoted(JSON.stringify(Object.fromEntries(asked(job))));
    return `${start} \\\n  -H 'Content-Type: application/json' \\\n  -d ${body}`;
  }
  const fields = asked(job).map(([name, value]) => `-F ${quoted(`${name}=${String(value)}`)}`);
  return [start, "-F image=@picture.png", ...fields].join(" \\\n  ");
}

/** For the Python client. */
export function python(job: Job, server: string): string {
  const result = resultOf(job);
  const format = result === null ? "glb" : formatOf(result);
  const named = asked(job).filter(([name]) => name !== "prompt" && name !== "format");
  const options = named.map(([name, value]) => `${name}=${literal(value)}`);
  const to = `to=${literal(`${job.task}.${endingOf(format)}`)}`;
  const call =
    job.task === "motion"
      ? ["generate", literal(job.request["prompt"] ?? "")]
      : ["generate_mesh", `Path("picture.png")`];
  return [
    ...(job.task === "motion" ? [] : ["from pathlib import Path"]),
    "from kinesphere import Client",
    "",
    `with Client(${literal(server)}) as client:`,
    `    client.${call[0] ?? ""}(`,
    ...[call[1] ?? "", ...options, to].map((argument) => `        ${argument},`),
    "    )",
    "",
  ].join("\n");
}

/** A word that a shell takes as it stands. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function literal(value: unknown): string {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value == null) return "None";
  // JSON's strings and numbers are Python's too.
  return JSON.stringify(value);
}
