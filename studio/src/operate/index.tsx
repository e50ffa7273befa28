/** For operators: pools, releases, dead letters, keys, and what another policy would have done. */
import { Later } from "../shell/later";
import { address, route } from "../shell/route";
import { say, type Text } from "../shell/words";
import { Dead } from "./dead";
import { Keys } from "./keys";
import { Pools } from "./pools";
import { Releases } from "./releases";
import "./style.css";

const WORDS = {
  title: { en: "Operate", zh: "运维" },
  parts: { en: "Parts of this page", zh: "本页内容" },
  nothing: { en: "There is no part named {part}.", zh: "没有名为 {part} 的内容。" },
};

const PARTS: Readonly<Record<string, { readonly name: Text; readonly Part: () => preact.JSX.Element }>> =
  {
    pools: { name: { en: "Pools", zh: "资源池" }, Part: Pools },
    releases: { name: { en: "Releases", zh: "发布" }, Part: Releases },
    dead: { name: { en: "Dead letters", zh: "失败任务" }, Part: Dead },
    keys: { name: { en: "Keys", zh: "密钥" }, Part: Keys },
    simulator: {
      name: { en: "Simulator", zh: "模拟器" },
      Part: () => <Later load={simulator} props={{}} />,
    },
  };

const simulator = () => import("./simulator").then((found) => found.Simulator);

export function Page() {
  const chosen = route.value.rest[0] ?? "pools";
  const part = PARTS[chosen];
  return (
    <div class="operate-page">
      <h1>{say(WORDS.title)}</h1>
      <nav class="operate-parts" aria-label={say(WORDS.parts)}>
        {Object.entries(PARTS).map(([name, each]) => (
          <a
            key={name}
            href={address("operate", name)}
            aria-current={name === chosen ? "page" : undefined}
          >
            {say(each.name)}
          </a>
        ))}
      </nav>
      {part ? <part.Part key={chosen} /> : <p>{say(WORDS.nothing, { part: chosen })}</p>}
    </div>
  );
}
