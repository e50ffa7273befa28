/** The same prompt and seed by both models of a release: compared, or rated without being told. */
import { useState } from "preact/hooks";

import { ended, type Job, makeMotion } from "../api";
import { Failure } from "../shell/failure";
import { Later } from "../shell/later";
import { address } from "../shell/route";
import { say } from "../shell/words";
import { known, learn } from "../watch/store";
import { useJob } from "../watch/show";
import { ratePair, type Release } from "./api";

const WORDS = {
  title: { en: "Compare by eye", zh: "人工对比" },
  prompt: { en: "Prompt", zh: "描述" },
  seconds: { en: "Seconds", zh: "时长（秒）" },
  make: { en: "Make it with both", zh: "用两个模型生成" },
  making: { en: "Both are being made …", zh: "两个模型正在生成…" },
  failed: { en: "One of them came to nothing; there is no pair to rate.", zh: "其中一个生成失败，无法对比。" },
  which: { en: "Which is better? Which model made which is told afterwards.", zh: "哪个更好？评分后再揭晓各自的模型。" },
  left: { en: "Left", zh: "左侧" },
  right: { en: "Right", zh: "右侧" },
  same: { en: "No difference", zh: "没有差别" },
  told: { en: "Left was {left}, right was {right}.", zh: "左侧是 {left}，右侧是 {right}。" },
  open: { en: "Compare side by side", zh: "并排对比" },
  again: { en: "Another pair", zh: "再比一组" },
  rated: {
    en: "Rated pairs: {stable} better {s}, {canary} better {c}, no difference {n}. This decides nothing by itself.",
    zh: "已评分：{stable} 更好 {s} 组，{canary} 更好 {c} 组，没有差别 {n} 组。评分不会自动影响发布。",
  },
};

/** Seeds below this can be written down. */
const SEEDS = 1_000_000;

const blind = () => import("../play").then((found) => found.Blind);

type Ids = readonly [string, string];

export function Comparing({ release, changed }: { release: Release; changed: () => void }) {
  const [pair, setPair] = useState<Ids>();
  const { stable: s, canary: c, same: n } = release.ratings;
  const { stable, canary } = release;
  return (
    <details>
      <summary>{say(WORDS.title)}</summary>
      <div class="operate-pair">
        {pair === undefined ? (
          <Asking release={release} made={setPair} />
        ) : (
          <Rating
            key={pair[0]}
            {...{ release, pair, changed }}
            again={() => {
              setPair(undefined);
            }}
          />
        )}
        <p class="operate-dim">{say(WORDS.rated, { stable, canary, s, c, n })}</p>
      </div>
    </details>
  );
}

function Asking({ release, made }: { release: Release; made: (pair: Ids) => void }) {
  const [prompt, setPrompt] = useState("");
  const [duration, setDuration] = useState(4);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const make = async () => {
    const seed = Math.floor(Math.random() * SEEDS);
    const models = [release.stable, release.canary];
    // By chance, so that nobody can tell which is which by its side.
    if (Math.random() < 0.5) models.reverse();
    const asked = models.map((model) => makeMotion({ prompt, duration, seed, model, format: "glb" }));
    const [left, right] = await Promise.all(asked);
    if (left === undefined || right === undefined) return;
    learn(left);
    learn(right);
    made([left.id, right.id]);
  };
  return (
    <form
      class="operate-pair operate-form"
      onSubmit={(event) => {
        event.preventDefault();
        setBusy(true);
        setError(undefined);
        make().catch((failure: unknown) => {
          setBusy(false);
          setError(failure);
        });
      }}
    >
      <label>
        {say(WORDS.prompt)}
        <input
          required
          value={prompt}
          onInput={(event) => {
            setPrompt(event.currentTarget.value);
          }}
        />
      </label>
      <label>
        {say(WORDS.seconds)}
        <input
          type="number"
          required
          min={0.5}
          max={30}
          step="any"
          value={duration}
          onInput={(event) => {
            const seconds = event.currentTarget.valueAsNumber;
            if (Number.isFinite(seconds)) setDuration(seconds);
          }}
        />
      </label>
      <button type="submit" disabled={busy}>
        {say(WORDS.make)}
      </button>
      {error !== undefined && <Failure error={error} />}
    </form>
  );
}

interface RatingProps {
  readonly release: Release;
  readonly pair: Ids;
  readonly changed: () => void;
  readonly again: () => void;
}

function Rating({ release, pair, changed, again }: RatingProps) {
  const [error, setError] = useState<unknown>();
  const [said, setSaid] = useState(false);
  useJob(pair[0], setError);
  useJob(pair[1], setError);
  const [left, right] = pair.map((id) => known.value.get(id)?.job);
  if (left === undefined || right === undefined) return <Failure error={error} />;
  const rate = (better: string | null) => {
    setError(undefined);
    ratePair(release.task, pair, better).then(() => {
      setSaid(true);
      changed();
    }, setError);
  };
  return (
    <>
      {error !== undefined && <Failure error={error} />}
      {ended(left) && ended(right) ? (
        <Shown {...{ left, right, said, rate }} />
      ) : (
        <p role="status">{say(WORDS.making)}</p>
      )}
      <div class="shell-row">
        {said && (
          <a class="shell-button" href={address("compare", ...pair)}>
            {say(WORDS.open)}
          </a>
        )}
        <button type="button" onClick={again}>
          {say(WORDS.again)}
        </button>
      </div>
    </>
  );
}

function Shown(props: {
  left: Job;
  right: Job;
  said: boolean;
  rate: (better: string | null) => void;
}) {
  const { left, right, said, rate } = props;
  if (left.state !== "succeeded" || right.state !== "succeeded")
    return <p role="status">{say(WORDS.failed)}</p>;
  const names: readonly [string, string] = [say(WORDS.left), say(WORDS.right)];
  const choices = [
    [names[0], left.id], [say(WORDS.same), null], [names[1], right.id],
  ] as const;
  return (
    <>
      <Later load={blind} props={{ left, right, names }} />
      {said ? (
        <p role="status">
          {say(WORDS.told, { left: left.model.name, right: right.model.name })}
        </p>
      ) : (
        <>
          <p>{say(WORDS.which)}</p>
          <div class="shell-row">
            {choices.map(([name, id]) => (
              <button
                key={name}
                type="button"
                onClick={() => {
                  rate(id);
                }}
              >
                {name}
              </button>
            ))}
          </div>
        </>
      )}
    </>
  );
}
