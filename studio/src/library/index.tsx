/** Everything made: found again, taken along, made once more. */
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

import { aborted, ended, jobs, models, STATES, type Job, type State, type Task } from "../api";
import { Failure } from "../shell/failure";
import { address, route } from "../shell/route";
import { say } from "../shell/words";
import { stateName, TASKS, titleOf } from "../watch/describe";
import { known, learn } from "../watch/store";
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
  counted: { en: "{count} shown, of {read} looked through", zh: "已显示 {count} 个，共搜索 {read} 个" },
  nothing: { en: "Nothing here yet.", zh: "这里还没有作品。" },
  unfound: { en: "Nothing matches.", zh: "没有符合条件的作品。" },
  make: { en: "Make something", zh: "去创作" },
};

const PAGE = 24;
/** A search reads ahead, as the server does not search: this many at a time, so many times. */
const SEARCHED = { page: 200, pages: 10 } as const;

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
      const before = kept.filter((each) => matches(each, filter.text)).length;
      for (let pages = 0; pages < SEARCHED.pages; pages += 1) {
        const { text, state, task, model } = filter;
        const asked = { task, model, ...(state ? { state: [state] } : {}) };
        const limit = text ? SEARCHED.page : PAGE;
        const page = await jobs({ ...asked, cursor: from, limit }, own.signal);
        kept = [...kept, ...page.items];
        from = page.next_cursor;
        found.value = kept;
        cursor.value = from;
        const now = kept.filter((each) => matches(each, text)).length;
        if (from === null || !text || now - before >= PAGE) break;
      }
    } catch (caught) {
      if (!aborted(caught)) setError(caught);
    } finally {
      if (under.peek() === own) busy.value = false;
    }
  };
  useEffect(() => {
    void load(true);
  }, [filter.task, filter.state, filter.model, filter.text]);
  useEffect(() => () => under.peek()?.abort(), []);

  // What changes while it is shown, and what is made again from here, without asking anew.
  const shown = useComputed(() => fresh(found.value));
  useSignalEffect(() => {
    for (const each of found.value) if (!ended(each)) learn(each);
  });
  const matching = shown.value.filter((each) => matches(each, filter.text));
  return (
    <div class="library-page">
      <h1>{say(WORDS.title)}</h1>
      <Filters filter={filter} />
      {error !== undefined && <Failure error={error} again={() => void load(true)} />}
      <p class="library-count" role="status">
        {busy.value
          ? say(WORDS.loading)
          : matching.length > 0
            ? filter.text
              ? say(WORDS.counted, { count: matching.length, read: found.value.length })
              : say(WORDS.count, { count: matching.length })
            : say(filter.any ? WORDS.unfound : WORDS.nothing)}
      </p>
      <ul class="library-cards">
        {matching.map((job) => (
          <Card
            key={job.id}
            job={job}
            onMade={(made) => {
              found.value = [made, ...found.value];
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
          matching.length === 0 && !busy.value && <a href={address("make")}>{say(WORDS.make)}</a>
        )}
      </p>
    </div>
  );
}

function fresh(found: readonly Job[]): Job[] {
  return found.map((each) => known.value.get(each.id)?.job ?? each);
}

function matches(job: Job, text: string): boolean {
  const sought = text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const title = `${titleOf(job)} ${job.id}`.toLocaleLowerCase();
  return sought.every((each) => title.includes(each));
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
