/** Lines over time, as a picture and as a table. */
import { useId } from "preact/hooks";

import { say } from "../shell/words";
import { ceiling, path, picked } from "./history";
import { Table } from "./parts";

const WORDS = {
  table: { en: "As a table", zh: "以表格显示" },
  most: { en: "{name}: now {now}, at most {most}", zh: "{name}：当前 {now}，最高 {most}" },
  past: { en: "{name}: at most {most}", zh: "{name}：最高 {most}" },
  unknown: { en: "not known", zh: "未知" },
};

const WIDTH = 300;
const HEIGHT = 60;
const ROWS = 13;

export interface Lines {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

export interface Shown {
  /** What it shows, for whoever does not see it. */
  readonly label: string;
  /** Numbers that grow. */
  readonly times: readonly number[];
  /** At most three; the first is drawn strongest. */
  readonly lines: readonly Lines[];
  /** What stands before each row of the table. */
  readonly when: (time: number) => string;
  readonly head: string;
  readonly tell: (value: number | null) => string;
  /** Whether a value holds until the next, as a number of replicas does. */
  readonly stepped?: boolean;
  /** Whether the last value is the present one, which stands beside the name. */
  readonly live?: boolean;
}

export function Chart({ label, times, lines, when, head, tell, stepped = false, live = true }: Shown) {
  const id = useId();
  const top = ceiling(lines.flatMap((each) => each.values));
  const told = lines.map((each) => {
    const known = each.values.filter((value) => value !== null);
    return say(live ? WORDS.most : WORDS.past, {
      name: each.name,
      now: told1(each.values.at(-1) ?? null, tell),
      most: told1(known.length > 0 ? Math.max(...known) : null, tell),
    });
  });
  return (
    <figure class="operate-chart">
      <figcaption id={id}>
        {label}
        <span class="operate-legend" aria-hidden="true">
          {lines.map((each, index) => (
            <span key={each.name} class={`operate-mark operate-line-${index}`}>
              {each.name} {live && tell(each.values.at(-1) ?? null)}
            </span>
          ))}
        </span>
      </figcaption>
      <svg
        viewBox={`0 -2 ${WIDTH} ${HEIGHT + 4}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}. ${told.join(". ")}`}
      >
        {[0, 0.5, 1].map((part) => (
          <line
            key={part}
            class="operate-grid"
            x1="0"
            x2={WIDTH}
            y1={part * HEIGHT}
            y2={part * HEIGHT}
          />
        ))}
        {[...lines.entries()].reverse().map(([index, each]) => (
          <path
            key={each.name}
            class={`operate-line-${index}`}
            d={path(times, each.values, { width: WIDTH, height: HEIGHT, top }, stepped)}
          />
        ))}
      </svg>
      <span class="operate-top" aria-hidden="true">
        {tell(top)}
      </span>
      <details>
        <summary>{say(WORDS.table)}</summary>
        <Table
          label={label}
          heads={[head, ...lines.map((each) => each.name)]}
        >
          {picked(times.length, ROWS).map((index) => (
            <tr key={index}>
              <th scope="row">{when(times[index] ?? 0)}</th>
              {lines.map((each) => (
                <td key={each.name}>{tell(each.values[index] ?? null)}</td>
              ))}
            </tr>
          ))}
        </Table>
      </details>
    </figure>
  );
}

function told1(value: number | null, tell: (value: number | null) => string): string {
  return value === null ? say(WORDS.unknown) : tell(value);
}
