/** Everything made: found again, taken along, made once more. */
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";

import { aborted, ended, jobs, models, STATES, type Job, type State, type Task } from "../api";
import { Failure } from "../shell/failure";
import { address, route } from "../shell/route";
import { say } from "../shell/words";
import { stateName, TASKS } from "../watch/describe";
import { forgotten, known, learn } from "../watch/store";
import { Card } from "./card";
import "./style.css";

const WORDS = {
  title: { en: "Library", zh: "作品库" },
  search: { en: "Search in prompts", zh: "搜索描述" },
  kind: { en: "Kind", zh: "类型" },
  all: { en: "All", zh: "全部" },
  state: { en: "State", zh: "状态" },
  model: { en: "Model", zh: "模型" },
  more: { en: "Show more", zh: "加载更多" },
  loading: { en: "Loading …", zh: "正在加载…" },
  count: { en: "{count} shown", zh: "已显示 {count} 个" },
  nothing: { en: "Nothing here yet.", zh: "这里还没有作品。" },
  unfound: { en: "Nothing matches.", zh: "没有符合条件的作品。" },
  make: { en: "Make something", zh: "去创作" },
};

const PAGE = 24;
/** The server looks through so many jobs at once; a search goes on from there so many times. */
const SEARCHED = 10;
/** ms without a letter until it is searched for what was typed. */
const TYPED = 200;

export function Page() {
  const filter = useFilter();
  const found = useSignal<readonly Job[]>([]);
  const cursor = useSignal<string | null>(null);
  const busy = useSignal(false);
  const [error, setError] = useState<unknown>();
  const under = useSignal<AbortController | null>(null);

  const load = async (first: boolean) => {
    under.peek()?.abort();
    const own = new AbortController();
    under.value = own;
    busy.value = true;
    setError(undefined);
    try {
      let from = first ? null : cursor.peek();
      let kept: readonly Job[] = first ? [] : found.peek();
      const { text, state, task, model } = filter;
      const wanted = { task, model, q: text || null, ...(state ? { state: [state] } : {}) };
      const enough = kept.length + PAGE;
      for (let pages = 0; pages < SEARCHED; pages += 1) {
        const asked = { ...wanted, cursor: from, limit: enough - kept.length };
        const page = await jobs(asked, own.signal);
        kept = [...kept, ...page.items];
        from = page.next_cursor;
        found.value = kept;
        cursor.value = from;
        if (from === null || kept.length >= enough) break;
      }
    } catch (caught) {
      if (!aborted(caught)) setError(caught);
    } finally {
      if (under.peek() === own) busy.value = false;
    }
  };
  const shownText = useRef(filter.text);
  useEffect(() => {
    const typed = shownText.current !== filter.text;
    shownText.current = filter.text;
    const soon = setTimeout(() => void load(true), typed ? TYPED : 0);
    return () => {
      clearTimeout(soon);
    };
  }, [filter.task, filter.state, filter.model, filter.text]);
  useEffect(() => () => under.peek()?.abort(), []);

  // What changes while it is shown, and what is made again from here, without asking anew.
  const shown = useComputed(() => fresh(found.value));
  useSignalEffect(() => {
    for (const each of found.value) if (!ended(each)) learn(each);
  });
  return (
    <div class="library-page">
      <h1>{say(WORDS.title)}</h1>
      <Filters filter={filter} />
      {error !== undefined && <Failure error={error} again={() => void load(true)} />}
      <p class="library-count" role="status">
        {busy.value
          ? say(WORDS.loading)
          : shown.value.length > 0
            ? say(WORDS.count, { count: shown.value.length })
            : say(filter.any ? WORDS.unfound : WORDS.nothing)}
      </p>
      <ul class="library-cards">
        {shown.value.map((job) => (
          <Card
            key={job.id}
            job={job}
            onMade={(made) => {
              found.value = [made, ...found.value];
            }}
            onGone={() => {
              found.value = found.value.filter((each) => each.id !== job.id);
              forgotten(job.id);
            }}
          />
        ))}
      </ul>
      <p>
        {cursor.value !== null ? (
          <button type="button" disabled={busy.value} onClick={() => void load(false)}>
            {say(WORDS.more)}
          </button>
        ) : (
          shown.value.length === 0 && !busy.value && <a href={address("make")}>{say(WORDS.make)}</a>
        )}
      </p>
    </div>
  );
}

function fresh(found: readonly Job[]): Job[] {
  return found.map((each) => known.value.get(each.id)?.job ?? each);
}

interface Filter {
  readonly text: string;
  readonly task: Task | null;
  readonly state: State | null;
  readonly model: string | null;
  readonly any: boolean;
}

/** The filter is in the address, so that it can be kept and shared. */
function useFilter(): Filter {
  const { query } = route.value;
  const task = query.get("task");
  const state = query.get("state");
  const text = query.get("search")?.trim() ?? "";
  const model = query.get("model");
  return {
    text,
    task: task === "motion" || task === "mesh" ? task : null,
    state: STATES.find((each) => each === state) ?? null,
    model,
    any: Boolean(text || task || state || model),
  };
}

function refine(name: string, value: string): void {
  const query = new URLSearchParams(route.value.query);
  if (value) query.set(name, value);
  else query.delete(name);
  const text = query.toString();
  // Not a new place to come back to at every letter.
  window.history.replaceState(null, "", address("library") + (text ? `?${text}` : ""));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

function Filters({ filter }: { filter: Filter }) {
  const [names, setNames] = useState<readonly string[]>([]);
  useEffect(() => {
    const stop = new AbortController();
    models(stop.signal).then(
      (found) => {
        setNames(found.map((each) => each.name));
      },
      () => undefined, // The list itself tells what is wrong.
    );
    return () => {
      stop.abort();
    };
  }, []);
  return (
    <form
      class="library-filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
      }}
    >
      <label class="library-search">
        {say(WORDS.search)}
        <input
          type="search"
          data-slash
          value={filter.text}
          onInput={(event) => {
            refine("search", event.currentTarget.value);
          }}
        />
      </label>
      <Choice
        label={say(WORDS.kind)}
        value={filter.task ?? ""}
        among={(["motion", "mesh"] as const).map((each) => [each, say(TASKS[each])])}
        choose={(value) => {
          refine("task", value);
        }}
      />
      <Choice
        label={say(WORDS.state)}
        value={filter.state ?? ""}
        among={STATES.map((each) => [each, stateName(each)])}
        choose={(value) => {
          refine("state", value);
        }}
      />
      <Choice
        label={say(WORDS.model)}
        value={filter.model ?? ""}
        among={names.map((each) => [each, each])}
        choose={(value) => {
          refine("model", value);
        }}
      />
    </form>
  );
}

function Choice(props: {
  label: string;
  value: string;
  among: readonly (readonly [string, string])[];
  choose: (value: string) => void;
}) {
  const { label, value, among, choose } = props;
  return (
    <label>
      {label}
      <select
        value={value}
        onChange={(event) => {
          choose(event.currentTarget.value);
        }}
      >
        <option value="">{say(WORDS.all)}</option>
        {among.map(([name, shown]) => (
          <option key={name} value={name}>
            {shown}
          </option>
        ))}
      </select>
    </label>
  );
}
