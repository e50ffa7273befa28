/** What the quality checks found, as a list that leads to its frames. */
import { say } from "../shell/words";
import type { Fetched } from "./assets";
import { measured } from "./figures";
import type { Finding } from "./findings";
import { called } from "./line";
import { SAYS } from "./texts";

/** Stretches of frames that are offered of one finding. */
const OFFERED = 8;

interface QualityProps {
  readonly found: Fetched<readonly Finding[]>;
  readonly title?: string;
  readonly go?: (frame: number) => void;
}

export function Quality({ found, title, go }: QualityProps) {
  if (found.state === "waiting") return null;
  return (
    <section class="play-quality">
      <h3>{title === undefined ? say(SAYS.quality) : `${say(SAYS.quality)} · ${title}`}</h3>
      {found.state === "loading" && <p>{say(SAYS.judging)}</p>}
      {found.state === "failed" && <p>{say(SAYS.unjudged, { why: found.why })}</p>}
      {found.state === "here" && found.value.length === 0 && <p>{say(SAYS.spotless)}</p>}
      {found.state === "here" && found.value.length > 0 && (
        <ul>
          {found.value.map((finding) => (
            <Found key={finding.measure.name} {...{ finding, go }} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Found(props: { finding: Finding; go: ((frame: number) => void) | undefined }) {
  const { measure, weight, runs } = props.finding;
  const name = called(measure.name);
  const bound = weight === "fail" ? measure.fail_at : (measure.warn_at ?? measure.fail_at);
  return (
    <li>
      <span class="play-badge" data-weight={weight}>{say(SAYS[weight])}</span>
      <b>{name}</b>
      <span>
        {measured(measure.value, measure.unit)}
        {bound !== null && <small> / {measured(bound, measure.unit)}</small>}
      </span>
      {measure.joints.length > 0 && <small>{measure.joints.slice(0, 4).join(", ")}</small>}
      {props.go !== undefined && runs.length > 0 && (
        <span class="play-frames" role="group" aria-label={say(SAYS.frames)}>
          {runs.slice(0, OFFERED).map(([from, to]) => (
            <button
              type="button"
              key={from}
              aria-label={say(SAYS.goto, { what: name, frame: from + 1 })}
              onClick={() => props.go?.(from)}
            >
              {from === to ? from + 1 : `${from + 1}–${to + 1}`}
            </button>
          ))}
        </span>
      )}
    </li>
  );
}
