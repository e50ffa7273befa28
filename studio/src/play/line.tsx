/** The time line: its slider over the strips, and marks where something was found. */
import { useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";

import { say } from "../shell/words";
import type { AngleName } from "./angles";
import { measured, number } from "./figures";
import { placed, type Finding } from "./findings";
import type { Playback } from "./playback";
import { drawn, heightOf, rowsOf, type Row, type Track } from "./strips";
import { JOINTS, MEASURES, SAYS } from "./texts";
import { coloursAt, onTheme } from "./theme";
import { frameAt, frameUnder } from "./timeline";

/** In the order of `contact`'s states. */
const STATES = [SAYS.aloft, SAYS.grounded, SAYS.sliding];

interface LineProps {
  readonly playback: Playback;
  readonly tracks: readonly Track[];
  readonly findings: readonly (readonly Finding[])[];
  /** Of the motions, told where there are two. */
  readonly names: readonly string[];
  readonly angles: readonly AngleName[];
  /** The time line is dragged, or let go of. */
  readonly hold: (on: boolean) => void;
}

export function Line({ playback, tracks, findings, names, angles, hold }: LineProps) {
  const strips = useRef<HTMLCanvasElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => rowsOf(tracks, angles), [tracks, angles]);
  const span = playback.span.value;
  const height = Math.max(28, heightOf(rows));

  useEffect(() => {
    const canvas = strips.current;
    if (canvas === null) return;
    const draw = () => {
      const sharp = Math.min(2, window.devicePixelRatio);
      const width = canvas.clientWidth;
      canvas.width = Math.round(width * sharp);
      canvas.height = Math.round(height * sharp);
      const pen = canvas.getContext("2d");
      pen?.scale(sharp, sharp);
      if (pen) drawn(pen, width, rows, tracks, span, coloursAt(canvas));
    };
    draw();
    const resized = new ResizeObserver(draw);
    resized.observe(canvas);
    const undo = onTheme(draw);
    return () => {
      resized.disconnect();
      undo();
    };
  }, [rows, height, span]);

  useSignalEffect(() => {
    const share = (playback.frame.value + 0.5) / playback.span.value.frames;
    // Moved as a layer, so that nothing is laid out or painted anew.
    head.current?.style.setProperty("transform", `translateX(${share * 100}cqw)`);
  });

  const box = useRef({ left: 0, width: 0 });
  const seek = (event: PointerEvent) => {
    const { left, width } = box.current;
    if (width === 0) return;
    playback.aim(frameUnder(playback.span.value, (event.clientX - left) / width));
  };
  return (
    <div class="play-line">
      {findings.map((found, track) => (
        <Marks
          key={track} {...{ playback, found }} own={tracks[track]}
          name={tracks.length > 1 ? (names[track] ?? "") : ""}
        />
      ))}
      <Slider playback={playback}>
        {(attributes) => (
          <div
            {...attributes} class="play-slider"
            onPointerDown={(event) => {
              if (event.button !== 0) return;
              event.currentTarget.setPointerCapture(event.pointerId);
              // Measured once a drag: to ask for it at each move is to lay out at each move.
              box.current = event.currentTarget.getBoundingClientRect();
              hold(true);
              seek(event);
            }}
            onLostPointerCapture={() => { hold(false); }}
            onPointerMove={(event) => {
              if (event.currentTarget.hasPointerCapture(event.pointerId)) seek(event);
            }}
          >
            <canvas ref={strips} aria-hidden="true" style={{ height: `${height}px` }} />
            {rows.map((row) => (
              <Legend key={`${row.track}${row.angle ?? ""}`} {...{ row, tracks, playback }} />
            ))}
            <div class="play-head" ref={head} />
          </div>
        )}
      </Slider>
    </div>
  );
}

type SliderAttributes = Readonly<Record<string, string | number>>;

function Slider(props: {
  playback: Playback;
  children: (attributes: SliderAttributes) => preact.JSX.Element;
}) {
  const { playback } = props;
  return props.children({
    role: "slider",
    tabIndex: 0,
    "aria-label": say(SAYS.timeline),
    "aria-valuemin": 1,
    "aria-valuemax": playback.span.value.frames,
    "aria-valuenow": playback.frame.value + 1,
    "aria-valuetext": where(playback),
  });
}

/** `Frame 12 of 150, 0.37 s`. */
export function where(playback: Playback): string {
  return say(SAYS.at, {
    frame: number(playback.frame.value + 1),
    frames: number(playback.span.value.frames),
    seconds: number(playback.seconds.value, 2),
  });
}

function Legend(props: { row: Row; tracks: readonly Track[]; playback: Playback }) {
  const { row, playback } = props;
  const track = props.tracks[row.track];
  const seconds = playback.seconds.value;
  if (track === undefined) return null;
  const frame = frameAt(track.clip, seconds);
  const values =
    row.angle === null
      ? track.contact.map((states) => say(STATES[states[frame] ?? 0] ?? SAYS.aloft))
      : row.curves.map((curve) => `${number(curve[frame] ?? 0)}°`);
  const name = row.angle === null ? SAYS.contact : JOINTS[row.angle];
  const sides = values.length > 1 ? [say(SAYS.left), say(SAYS.right)] : [""];
  return (
    <p class="play-legend" style={{ top: `${row.top}px` }}>
      <b>{say(name)}</b>
      {values.map((value, side) => (
        <span key={side} data-side={values.length > 1 ? side : undefined}>
          {sides[side]} {value}
        </span>
      ))}
    </p>
  );
}

function Marks(props: {
  playback: Playback;
  found: readonly Finding[];
  own: Track | undefined;
  name: string;
}) {
  const { playback, found, own, name } = props;
  if (own === undefined || (found.length === 0 && name === "")) return null;
  return (
    <div class="play-marks">
      {name !== "" && <span class="play-whose">{name}</span>}
      {found.flatMap(({ measure, weight, runs }) =>
        runs.map((run) => {
          const { from, width } = placed(run, own.clip, playback.span.value);
          return (
            <button
              type="button"
              key={`${measure.name}${run[0]}`}
              class="play-mark"
              data-weight={weight}
              // The list of findings leads to the same frames by keyboard.
              tabIndex={-1}
              aria-label={say(SAYS.goto, { what: called(measure.name), frame: run[0] + 1 })}
              title={`${called(measure.name)}: ${measured(measure.value, measure.unit)}`}
              style={{ left: `${from * 100}%`, width: `${width * 100}%` }}
              onClick={() => { goTo(playback, own, run[0]); }}
            />
          );
        }),
      )}
    </div>
  );
}

/** To a frame of one of the motions. */
export function goTo(playback: Playback, own: Track, frame: number): void {
  playback.playing.value = false;
  const { fps } = playback.span.value;
  playback.seek(Math.round((frame / own.clip.fps) * fps));
}

export function called(measure: string): string {
  const text = MEASURES[measure];
  return text === undefined ? measure : say(text);
}
