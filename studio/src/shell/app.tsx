/** The frame around every page. */
import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { at, key, reachable, signOut } from "../api";
import { lookAround, waiting, watchAll } from "../watch/store";
import { SignIn } from "./access";
import { KeyHelp, shown } from "./keys";
import { Later } from "./later";
import { PAGES } from "./pages";
import { address, route } from "./route";
import { CHOICES, choice, choose, type Choice } from "./theme";
import { type Language, LANGUAGES, language, say, speak, tag } from "./words";

const WORDS = {
  nothing: { en: "There is no page named {page}.", zh: "没有名为 {page} 的页面。" },
  skip: { en: "Skip to the page", zh: "跳到正文" },
  pages: { en: "Pages", zh: "页面" },
  language: { en: "Language", zh: "语言" },
  theme: { en: "Colours", zh: "外观" },
  system: { en: "System", zh: "跟随系统" },
  light: { en: "Light", zh: "浅色" },
  dark: { en: "Dark", zh: "深色" },
  keyboard: { en: "Keyboard shortcuts", zh: "键盘快捷键" },
  out: { en: "Sign out", zh: "退出登录" },
  underWay: { en: "{count} under way", zh: "{count} 个进行中" },
  lost: {
    en: "The server does not answer. This page goes on by itself when it does.",
    zh: "服务器没有响应。恢复连接后页面会自动继续。",
  },
};

effect(() => {
  document.documentElement.lang = tag.value;
});

effect(() => {
  const entry = PAGES[route.value.page];
  document.title = entry ? `${say(entry.name)} · Kinesphere` : "Kinesphere";
});

export function App() {
  useEffect(() => {
    const stop = new AbortController();
    // A server that wants a key asks for it now, and not when something was written already.
    lookAround(stop.signal).catch(() => undefined);
    void watchAll(stop.signal);
    return () => {
      stop.abort();
    };
  }, []);
  return (
    <>
      <a
        class="shell-skip shell-hidden"
        href="#page"
        onClick={(event) => {
          // The part of the address after # says which page is shown.
          event.preventDefault();
          document.getElementById("page")?.focus();
        }}
      >
        {say(WORDS.skip)}
      </a>
      <header class="shell-top">
        <a class="shell-brand" href={address("make")} aria-label="Kinesphere">
          <img src={at("icon.svg")} alt="" />
          <span>Kinesphere</span>
        </a>
        <Navigation />
        <Settings />
      </header>
      <div role="status">
        {!reachable.value && <p class="shell-notice">{say(WORDS.lost)}</p>}
      </div>
      <Shown />
      <SignIn />
      <KeyHelp />
    </>
  );
}

function Navigation() {
  return (
    <nav class="shell-nav" aria-label={say(WORDS.pages)}>
      {Object.entries(PAGES).map(
        ([name, page]) =>
          page.key && (
            <a
              key={name}
              href={address(name)}
              aria-current={route.value.page === name ? "page" : undefined}
            >
              {say(page.name)}
              {name === "watch" && waiting.value > 0 && (
                <span class="shell-count" title={say(WORDS.underWay, { count: waiting.value })}>
                  {waiting.value}
                </span>
              )}
            </a>
          ),
      )}
    </nav>
  );
}

function Settings() {
  return (
    <div class="shell-settings">
      <select
        aria-label={say(WORDS.language)}
        value={language.value}
        onChange={(event) => {
          speak(event.currentTarget.value as Language);
        }}
      >
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <option key={code} value={code} lang={code}>
            {name}
          </option>
        ))}
      </select>
      <select
        aria-label={say(WORDS.theme)}
        value={choice.value}
        onChange={(event) => {
          choose(event.currentTarget.value as Choice);
        }}
      >
        {CHOICES.map((each) => (
          <option key={each} value={each}>
            {say(WORDS[each])}
          </option>
        ))}
      </select>
      <button
        type="button"
        aria-label={say(WORDS.keyboard)}
        title={say(WORDS.keyboard)}
        onClick={() => {
          shown.value = true;
        }}
      >
        ?
      </button>
      {key.value !== null && (
        <button type="button" onClick={signOut}>
          {say(WORDS.out)}
        </button>
      )}
    </div>
  );
}

/** The page of the address, focused when another takes its place. */
function Shown() {
  const { page } = route.value;
  const main = useRef<HTMLElement>(null);
  const before = useRef(page);
  useEffect(() => {
    if (before.current === page) return;
    before.current = page;
    window.scrollTo(0, 0);
    main.current?.focus();
  }, [page]);
  const load = LOADS.get(page);
  return (
    <main id="page" class="shell-main" tabIndex={-1} ref={main}>
      {load ? <Later load={load} props={{}} /> : <p>{say(WORDS.nothing, { page })}</p>}
    </main>
  );
}

const LOADS = new Map(
  Object.entries(PAGES).map(([name, page]) => [name, () => page.load().then((m) => m.Page)]),
);
