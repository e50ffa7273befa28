/** The player of one job's result, and of two side by side. */
import { say } from "../shell/words";
import type { Job } from "./job";
import { Meshes } from "./mesh";
import { Motions } from "./motion";
import { SAYS } from "./texts";

export function Player({ job }: { job: Job }) {
  // Another job is another player; the next edition of the same one is not.
  return job.task === "mesh" ? <Meshes key={job.id} jobs={[job]} /> : <Motions key={job.id} jobs={[job]} />;
}

/** Two results of one task: a canary's and the stable model's, or two seeds'. */
export function Compare({ left, right }: { left: Job; right: Job }) {
  if (left.task !== right.task) return <p role="alert">{say(SAYS.unlike)}</p>;
  const key = `${left.id}/${right.id}`;
  return left.task === "mesh" ? (
    <Meshes key={key} jobs={[left, right]} />
  ) : (
    <Motions key={key} jobs={[left, right]} />
  );
}

/** Two motions by names that do not tell which model made them; neither do files or findings. */
export function Blind({ left, right, names }: {
  left: Job;
  right: Job;
  names: readonly [string, string];
}) {
  return <Motions key={`${left.id}/${right.id}`} jobs={[left, right]} names={names} />;
}
