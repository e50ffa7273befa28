/** One mesh, or two seen by one camera. */
import { useEffect, useRef, useState } from "preact/hooks";

import { say } from "../shell/words";
import { useFindings, useGlb } from "./assets";
import { extents, number } from "./figures";
import type { Job } from "./job";
import { LOOKS, Model, type Facts, type Look } from "./model";
import { Toggle } from "./motion";
import { Keys } from "./keys";
import { Quality } from "./quality";
import { Share } from "./share";
import { SAYS } from "./texts";
import { caption, ownKey, Theatre, turned, useStage } from "./theatre";

/** Radians a second: once round in twelve. */
const TURNING = (2 * Math.PI) / 12;

export function Meshes({ jobs }: { jobs: readonly [Job] | readonly [Job, Job] }) {
  const models = useRef<(Model | null)[]>([]);
  const [attempt, retry] = useState(0);
  const [facts, keep] = useState<readonly (Facts | null)[]>([]);
  const [broken, fail] = useState("");
  const [look, choose] = useState<Look>("textured");
  const [turning, turn] = useState(false);
  const turntable = useRef({ on: false, by: 0 });
  turntable.current.on = turning;
  const { host, stage, trouble } = useStage(jobs.length, (elapsed) => {
    const { on } = turntable.current;
    if (on) turntable.current.by += elapsed * TURNING;
    for (const model of models.current) model?.turn(turntable.current.by);
    return on;
  });
  const files = [useGlb(jobs[0], attempt), useGlb(jobs[1], attempt)].slice(0, jobs.length);
  const found = [useFindings(jobs[0], attempt), useFindings(jobs[1], attempt)];
  const [left, right] = files.map((file) => (file.state === "here" ? file.value : null));

  [left, right].forEach((glb, at) => {
    useEffect(() => {
      if (stage === null || !glb) return;
      let gone = false;
      fail("");
      Model.from(glb).then(
        (model) => {
          if (gone) {
            model.dispose();
            return;
          }
          models.current[at] = model;
          // In place of the shape before it, seen from where that is seen.
          stage.show(at, model);
          keep(models.current.map((one) => one?.facts ?? null));
        },
        (error: unknown) => {
          if (!gone) fail(error instanceof Error ? error.message : String(error));
        },
      );
      return () => { gone = true; };
    }, [stage, glb]);
  });
  useEffect(() => {
    for (const model of models.current) model?.look(look);
    stage?.invalidate();
  }, [stage, look, turning, facts]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (ownKey(event)) return;
    if (event.key === "ArrowLeft") stage?.orbit(-Math.PI / 12, 1);
    else if (event.key === "ArrowRight") stage?.orbit(Math.PI / 12, 1);
    else if (event.key.toLowerCase() === "t" || event.key === " ") turn(!turning);
    else if (event.key.toLowerCase() === "w") choose(look === "wireframe" ? "textured" : "wireframe");
    else if (!turned(stage, event.key)) return;
    event.preventDefault();
  };
  const textured = facts.some((one) => one?.textured);
  return (
    <section class="play" aria-label={say(SAYS.player)} tabIndex={-1} onKeyDown={onKeyDown}>
      <Theatre
        {...{ host, stage, trouble }} names={jobs.map(caption)}
        files={broken === "" ? files : [{ state: "failed", why: broken }]}
        retry={() => { retry(attempt + 1); }}
      >
        <Toggle on={turning} keys="T" flip={() => { turn(!turning); }}>
          {say(SAYS.turntable)}
        </Toggle>
      </Theatre>
      <div class="play-choice" role="group" aria-label={say(SAYS.looks)}>
        {LOOKS.map((one) => (
          <button
            type="button" key={one} aria-pressed={look === one}
            disabled={!textured && (one === "textured" || one === "albedo")}
            onClick={() => { choose(one); }}
          >
            {say(SAYS[one])}
          </button>
        ))}
      </div>
      {jobs.map((job, at) => {
        const painting = job.state === "running" && facts[at]?.textured === false;
        return (
          <div class="play-about" key={at}>
            {painting && <p role="status">{say(SAYS.painting)}</p>}
            {facts[at] && <FactList facts={facts[at]} />}
            <Quality
              found={found[at] ?? { state: "waiting" }}
              {...(jobs.length > 1 ? { title: caption(job) } : {})}
            />
            <Share job={job} />
          </div>
        );
      })}
      <Keys of="mesh" />
    </section>
  );
}

function FactList({ facts }: { facts: Facts }) {
  return (
    <dl class="play-facts">
      <dt>{say(SAYS.vertices)}</dt>
      <dd>{number(facts.vertices)}</dd>
      <dt>{say(SAYS.faces)}</dt>
      <dd>{number(facts.faces)}</dd>
      <dt>{say(SAYS.extents)}</dt>
      <dd>{extents(facts.extents)}</dd>
    </dl>
  );
}
