/** A job from its first event to the player. */
import { useEffect } from "preact/hooks";

import { job as fetched, type Job } from "../api";
import { Later } from "../shell/later";
import { say } from "../shell/words";
import { Actions, Facts, Progress } from "./panel";
import { titleOf } from "./describe";
import { known, learn, pin } from "./store";
import "./style.css";

const WORDS = {
  understood: { en: "Understood", zh: "已理解" },
  ignored: { en: "Not understood", zh: "未理解" },
};

const player = () => import("../play").then((found) => found.Player);

/** Keeps a job in sight while it is shown; `failed` hears why it cannot be. */
export function useJob(id: string, failed: (error: unknown) => void): void {
  useEffect(() => {
    const stop = new AbortController();
    const unpin = pin(id);
    fetched(id, stop.signal).then(learn, (error: unknown) => {
      if (!stop.signal.aborted) failed(error);
    });
    return () => {
      stop.abort();
      unpin();
    };
  }, [id]);
}

export function Show({ id, heading, onMade }: {
  id: string;
  heading: "h1" | "h2";
  onMade: (made: Job) => void;
}) {
  const found = known.value.get(id);
  if (!found) return null;
  const { job } = found;
  const Heading = heading;
  return (
    <article class="watch-job">
      <header>
        <Heading>{titleOf(job)}</Heading>
        <Facts job={job} />
      </header>
      <Progress of={found} />
      {job.artifacts.length > 0 && (
        <div class="watch-player">
          <Later load={player} props={{ job }} />
        </div>
      )}
      <Words job={job} />
      <Actions job={job} linked={false} onMade={onMade} />
    </article>
  );
}

/** What the engine made of the prompt. */
function Words({ job }: { job: Job }) {
  const understood = strings(job.notes["understood"]);
  const ignored = strings(job.notes["ignored"]);
  if (understood.length + ignored.length === 0) return null;
  return (
    <p class="watch-words">
      {understood.length > 0 && say(WORDS.understood)}
      {understood.map((each, place) => (
        <span key={place}>{each}</span>
      ))}
      {ignored.length > 0 && say(WORDS.ignored)}
      {ignored.map((each, place) => (
        <span key={place} class="watch-unknown">
          {each}
        </span>
      ))}
    </p>
  );
}

function strings(given: unknown): string[] {
  return Array.isArray(given) ? given.filter((each) => typeof each === "string") : [];
}
