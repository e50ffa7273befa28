/** The player's keys, beside it. */
import { say } from "../shell/words";
import { KEYS, SAYS, VIEW_KEYS } from "./texts";

export function Keys({ of }: { of: "motion" | "mesh" }) {
  return (
    <details class="play-keys">
      <summary>{say(SAYS.keys)}</summary>
      <dl>
        {[...KEYS[of], ...VIEW_KEYS].map(([key, does]) => (
          <div key={key}>
            <dt>{key.split(" ").map((one) => <kbd key={one}>{one}</kbd>)}</dt>
            <dd>{say(does)}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
