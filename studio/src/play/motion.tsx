/** One motion, or two in step, with their time line. */
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { say } from "../shell/words";
import { ANGLE_NAMES, type AngleName } from "./angles";
import { useFindings, useMotion, type Fetched, type Moving } from "./assets";
import { Figure } from "./figure";
import { number } from "./figures";
import type { Job } from "./job";
import { Keys } from "./keys";
import { goTo, Line, where } from "./line";
import { Playback } from "./playback";
import { Quality } from "./quality";
import { Share } from "./share";
import type { Stage } from "./stage";
import { trackOf, type Track } from "./strips";
import { JOINTS, SAYS } from "./texts";
import { caption, ownKey, Theatre, turned, useStage } from "./theatre";
import { reducedMotion } from "./theme";
import { placeAt, SPEEDS, together } from "./timeline";

interface MotionsProps {
  readonly jobs: readonly [Job] | readonly [Job, Job];
  /** What they are called in place of what made them, which is then not to be told. */
  readonly names?: readonly [string, string];
}

export function Motions({ jobs, names }: MotionsProps) {
  const called = names ?? jobs.map(caption);
  const figures = useRef<(Figure | null)[]>([]);
  const shown = useRef<Stage | null>(null);
  const [attempt, retry] = useState(0);
  const [angles, choose] = useState<readonly AngleName[]>(["knee", "elbow"]);
  const follow = useSignal(true);
  const trails = useSignal(true);
  const playback = useMemo(() => new Playback(() => shown.current?.invalidate()), []);
  const { host, stage, trouble } = useStage(jobs.length, (elapsed) => {
    const going = playback.tick(elapsed);
    for (const figure of figures.current) {
      figure?.pose(placeAt(figure.clip, playback.position));
    }
    return going;
  });
  shown.current = stage;
  const files = [useMotion(jobs[0], attempt), useMotion(jobs[1], attempt)].slice(0, jobs.length);
  const found = [useFindings(jobs[0], attempt), useFindings(jobs[1], attempt)];
  const tracks = useTracks(files, stage, figures.current, playback);

  useEffect(() => {
    for (const figure of figures.current) {
      if (figure === null) continue;
      figure.follows = follow.value;
      figure.trailing = trails.value;
    }
    stage?.invalidate();
  }, [stage, tracks, follow.value, trails.value]);
  const ready = tracks.length === jobs.length;
  useEffect(() => {
    if (ready && !reducedMotion()) playback.play();
  }, [ready]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (ownKey(event)) return;
    const far = event.shiftKey ? 10 : 1;
    if (event.key === " ") playback.toggle();
    else if (event.key === "ArrowLeft") playback.step(-far);
    else if (event.key === "ArrowRight") playback.step(far);
    else if (event.key === "Home") playback.step(-Infinity);
    else if (event.key === "End") playback.step(playback.span.value.frames);
    else if (event.key.toLowerCase() === "l") playback.loop.value = !playback.loop.value;
    else if (event.key.toLowerCase() === "f") follow.value = !follow.value;
    else if (event.key.toLowerCase() === "t") trails.value = !trails.value;
    else if (event.key === "<" || event.key === ",") playback.gear(-1);
    else if (event.key === ">" || event.key === ".") playback.gear(1);
    else if (!turned(stage, event.key)) return;
    event.preventDefault();
  };
  return (
    <section class="play" aria-label={say(SAYS.player)} tabIndex={-1} onKeyDown={onKeyDown}>
      <Theatre
        {...{ host, stage, trouble, files }} names={called}
        retry={() => { retry(attempt + 1); }}
      >
        <Toggle on={follow.value} keys="F" flip={() => { follow.value = !follow.value; }}>
          {say(SAYS.follow)}
        </Toggle>
        <Toggle on={trails.value} keys="T" flip={() => { trails.value = !trails.value; }}>
          {say(SAYS.trails)}
        </Toggle>
      </Theatre>
      <Transport playback={playback} />
      <Line
        {...{ playback, tracks, angles }} names={called}
        findings={names ? [] : found.map(listed)}
        hold={(on) => { stage?.hold(on); }}
      />
      <div class="play-choice" role="group" aria-label={say(SAYS.angles)}>
        <span aria-hidden="true">{say(SAYS.angles)}</span>
        {ANGLE_NAMES.map((name) => (
          <Toggle
            key={name} on={angles.includes(name)}
            flip={() => {
              choose(ANGLE_NAMES.filter((one) => angles.includes(one) !== (one === name)));
            }}
          >
            {say(JOINTS[name])}
          </Toggle>
        ))}
      </div>
      {!names && jobs.map((job, at) => {
        const track = tracks[at];
        const title = jobs.length > 1 ? { title: caption(job) } : {};
        const go = track && ((frame: number) => { goTo(playback, track, frame); });
        return (
          <div class="play-about" key={at}>
            <Quality found={found[at] ?? { state: "waiting" }} {...title} {...(go && { go })} />
            <Share job={job} />
          </div>
        );
      })}
      <Keys of="motion" />
    </section>
  );
}

function listed<T>(found: Fetched<readonly T[]>): readonly T[] {
  return found.state === "here" ? found.value : [];
}

/** Puts each motion that has come on the stage; the tracks of those that are there. */
function useTracks(
  files: readonly Fetched<Moving>[], stage: Stage | null, figures: (Figure | null)[],
  playback: Playback,
): readonly Track[] {
  const [tracks, keep] = useState<readonly Track[]>([]);
  const [left, right] = files.map((file) => (file.state === "here" ? file.value : null));
  useEffect(() => {
    if (stage === null) {
      figures.length = 0;
      return;
    }
    [left, right].slice(0, files.length).forEach((moving, at) => {
      const figure = moving ? new Figure(moving.glb, moving.clip) : null;
      figures[at] = figure;
      stage.show(at, figure);
    });
    const here = figures.filter((figure) => figure !== null);
    playback.load(together(here.map((figure) => figure.clip)));
    keep(here.map((figure) => trackOf(figure.clip, figure.positions)));
  }, [stage, left, right]);
  return tracks;
}

interface ToggleProps {
  readonly on: boolean;
  readonly flip: () => void;
  readonly keys?: string;
  readonly children: preact.ComponentChildren;
}

export function Toggle({ on, flip, keys, children }: ToggleProps) {
  return (
    <button type="button" aria-pressed={on} aria-keyshortcuts={keys} onClick={flip}>
      {children}
    </button>
  );
}

function Transport({ playback }: { playback: Playback }) {
  const playing = playback.playing.value;
  const told = useComputed(() =>
    playback.playing.value ? say(SAYS.playing) : say(SAYS.paused, { at: where(playback) }),
  );
  return (
    <div class="play-transport">
      <button
        type="button" class="play-go" aria-keyshortcuts="Space"
        aria-label={say(playing ? SAYS.pause : SAYS.play)} onClick={() => { playback.toggle(); }}
      >
        <Icon path={playing ? "M5 3h4v14H5zM11 3h4v14h-4z" : "M5 3l12 7-12 7z"} />
      </button>
      <button type="button" aria-label={say(SAYS.back)} onClick={() => { playback.step(-1); }}>
        <Icon path="M4 4h2v12H4zM16 4v12l-9-6z" />
      </button>
      <button type="button" aria-label={say(SAYS.on)} onClick={() => { playback.step(1); }}>
        <Icon path="M14 4h2v12h-2zM4 4l9 6-9 6z" />
      </button>
      <span class="play-where" aria-hidden="true"><Where playback={playback} /></span>
      <label>
        {say(SAYS.speed)}
        <select
          value={String(playback.speed.value)}
          onChange={(event) => { playback.speed.value = Number(event.currentTarget.value); }}
        >
          {SPEEDS.map((speed) => <option key={speed} value={String(speed)}>{speed}×</option>)}
        </select>
      </label>
      <Toggle
        on={playback.loop.value} keys="L"
        flip={() => { playback.loop.value = !playback.loop.value; }}
      >
        {say(SAYS.loop)}
      </Toggle>
      {/* Told when it starts and stops, not sixty times a second. */}
      <span class="play-said" role="status">{playing ? say(SAYS.playing) : told}</span>
    </div>
  );
}

function Where({ playback }: { playback: Playback }) {
  const frame = number(playback.frame.value + 1);
  const frames = number(playback.span.value.frames);
  const seconds = number(playback.seconds.value, 2);
  return <>{`${say(SAYS.short, { frame, frames })} · ${say(SAYS.seconds, { seconds })}`}</>;
}

function Icon({ path }: { path: string }) {
  return <svg viewBox="0 0 20 20" aria-hidden="true"><path d={path} /></svg>;
}
