/** A conversation: each prompt is one more motion of a figure that never stops between them. */
import "./style.css";

import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { at, Problem } from "../api";
import { Failure } from "../shell/failure";
import { route } from "../shell/route";
import { say, type Text } from "../shell/words";
import { Figure } from "./figure";
import { Conversation, type Connection, type Said } from "./stream";

const WORDS = {
  title: { en: "Live", zh: "实时" },
  about: {
    en: "Say what the figure does. Each motion goes on from the last, without a stop.",
    zh: "告诉人物做什么。每个新动作都会从上一个动作自然衔接。",
  },
  stage: { en: "The figure", zh: "人物" },
  empty: { en: "Nobody is moving yet.", zh: "还没有动作。" },
  noWebGL: { en: "This browser cannot draw in 3D.", zh: "此浏览器无法显示三维画面。" },
  prompt: { en: "What next?", zh: "接下来做什么？" },
  example: { en: "a man walks forward", zh: "一个人向前走" },
  length: { en: "Seconds", zh: "秒数" },
  send: { en: "Say it", zh: "发送" },
  talk: { en: "What was said", zh: "对话" },
  play: { en: "Play", zh: "播放" },
  pause: { en: "Pause", zh: "暂停" },
  time: { en: "Time", zh: "进度" },
  speed: { en: "Speed", zh: "速度" },
  loop: { en: "Loop", zh: "循环" },
  reopen: { en: "Connect again", zh: "重新连接" },
  vmc: { en: "To Unity, Unreal or VSeeFace", zh: "发送到 Unity、Unreal 或 VSeeFace" },
  vmcAbout: {
    en: "This command sends the same poses to a program that takes VMC on this machine.",
    zh: "运行此命令，即可将同样的动作发送到本机支持 VMC 协议的程序。",
  },
  copy: { en: "Copy", zh: "复制" },
  copied: { en: "Copied", zh: "已复制" },
  from: { en: "from {time} s", zh: "始于 {time} 秒" },
  making: { en: "being made, {share} %", zh: "生成中 {share}%" },
  asked: { en: "sent", zh: "已发送" },
};

const CONNECTION: Readonly<Record<Connection, Text>> = {
  none: { en: "Not connected", zh: "未连接" },
  opening: { en: "Connecting …", zh: "正在连接…" },
  open: { en: "Connected", zh: "已连接" },
  lost: { en: "The connection was lost", zh: "连接已断开" },
};

export function Page() {
  const talk = useMemo(() => new Conversation(), []);
  const job = route.value.page === "live" ? route.value.rest[0] : undefined;
  useEffect(() => {
    if (job && !talk.said.value.length) void talk.begin(job);
    return () => {
      talk.close();
    };
  }, [talk, job]);
  return (
    <div class="live-page">
      <header class="live-head">
        <h1>{say(WORDS.title)}</h1>
        <p class="live-dim">{say(WORDS.about)}</p>
      </header>
      <section class="live-watch" aria-label={say(WORDS.stage)}>
        <Stage talk={talk} />
        <Transport talk={talk} />
      </section>
      <section class="live-talk" aria-labelledby="live-talk">
        <div class="live-line">
          <h2 id="live-talk">{say(WORDS.talk)}</h2>
          <Connected talk={talk} />
        </div>
        <List talk={talk} />
        <Ask talk={talk} />
        <Command talk={talk} />
      </section>
    </div>
  );
}

interface Props {
  readonly talk: Conversation;
}

function Stage({ talk }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const [failed, setFailed] = useState(false);
  const skeleton = talk.skeleton.value;
  useEffect(() => {
    if (host.current === null || skeleton === null) return;
    let figure: Figure;
    try {
      figure = new Figure(host.current);
    } catch {
      setFailed(true);
      return;
    }
    figure.meet(skeleton);
    talk.shown = (frame) => {
      figure.show(frame);
      host.current?.setAttribute("data-frame", String(frame.number));
    };
    return () => {
      talk.shown = null;
      figure.dispose();
    };
  }, [talk, skeleton]);
  return (
    <div class="live-stage" ref={host} data-testid="live-stage">
      {skeleton === null && <p class="live-dim">{say(WORDS.empty)}</p>}
      {failed && <p role="alert">{say(WORDS.noWebGL)}</p>}
    </div>
  );
}

function Transport({ talk }: Props) {
  const now = talk.standing.value;
  const off = talk.connection.value !== "open" || talk.skeleton.value === null;
  const over = !now.loop && now.end > 0 && now.time >= now.end - 1e-3;
  const playing = now.playing && !over;
  return (
    <div class="live-transport">
      <button
        type="button"
        disabled={off}
        onClick={() => {
          talk.tell(playing ? "pause" : "play");
        }}
      >
        {say(playing ? WORDS.pause : WORDS.play)}
      </button>
      <input
        type="range"
        aria-label={say(WORDS.time)}
        aria-valuetext={`${now.time.toFixed(1)} / ${now.end.toFixed(1)} s`}
        disabled={off}
        min={now.first}
        max={Math.max(now.end, 0.1)}
        step={0.1}
        value={now.time}
        onInput={(event) => {
          talk.tell("seek", { time: event.currentTarget.valueAsNumber });
        }}
      />
      <output class="live-time" aria-hidden="true">
        {now.time.toFixed(1)} / {now.end.toFixed(1)} s
      </output>
      <label>
        {say(WORDS.speed)}{" "}
        <select
          disabled={off}
          value={String(now.speed)}
          onChange={(event) => {
            talk.tell("speed", { value: Number(event.currentTarget.value) });
          }}
        >
          {[0.25, 0.5, 1, 2].map((each) => (
            <option key={each} value={each}>
              {each}×
            </option>
          ))}
        </select>
      </label>
      <label class="live-check">
        <input
          type="checkbox"
          disabled={off}
          checked={now.loop}
          onChange={(event) => {
            talk.tell("loop", { on: event.currentTarget.checked });
          }}
        />
        {say(WORDS.loop)}
      </label>
    </div>
  );
}

function Connected({ talk }: Props) {
  const state = talk.connection.value;
  return (
    <div class="live-line">
      <span class={`live-state live-${state}`} role="status">
        {say(CONNECTION[state])}
      </span>
      {state === "lost" && (
        <button
          type="button"
          onClick={() => {
            talk.open();
          }}
        >
          {say(WORDS.reopen)}
        </button>
      )}
    </div>
  );
}

function List({ talk }: Props) {
  const { time } = talk.standing.value;
  const joined = talk.said.value.filter((each) => each.state === "joined" && each.from <= time);
  const current = joined.at(-1)?.mark;
  return (
    <ol class="live-list" aria-live="polite">
      {talk.said.value.map((each) => (
        <li key={each.mark} aria-current={each.mark === current ? "true" : undefined}>
          <span class="live-prompt">{each.prompt}</span>
          <small class="live-dim">{stateOf(each)}</small>
          {each.error !== undefined && <Failure error={each.error} />}
        </li>
      ))}
    </ol>
  );
}

function stateOf(said: Said): string {
  if (said.state === "joined") return say(WORDS.from, { time: said.from.toFixed(1) });
  if (said.state === "making") return say(WORDS.making, { share: Math.round(100 * said.progress) });
  if (said.state === "asked") return say(WORDS.asked);
  return said.error instanceof Problem ? said.error.code : "";
}

function Ask({ talk }: Props) {
  const [prompt, setPrompt] = useState("");
  const [seconds, setSeconds] = useState("4");
  return (
    <form
      class="live-ask"
      onSubmit={(event) => {
        event.preventDefault();
        if (!prompt.trim()) return;
        void talk.say(prompt.trim(), Number(seconds));
        setPrompt("");
      }}
    >
      <label class="live-grow">
        {say(WORDS.prompt)}
        <input
          data-slash
          autocomplete="off"
          maxLength={4000}
          placeholder={say(WORDS.example)}
          value={prompt}
          onInput={(event) => {
            setPrompt(event.currentTarget.value);
          }}
        />
      </label>
      <label>
        {say(WORDS.length)}
        <input
          type="number"
          class="live-seconds"
          min={0.5}
          max={30}
          step={0.5}
          required
          value={seconds}
          onInput={(event) => {
            setSeconds(event.currentTarget.value);
          }}
        />
      </label>
      <button type="submit" class="shell-primary" disabled={!prompt.trim()}>
        {say(WORDS.send)}
      </button>
    </form>
  );
}

function Command({ talk }: Props) {
  const [copied, setCopied] = useState(false);
  const [first, ...rest] = talk.said.value.filter((each) => each.job && each.state !== "failed");
  if (!first?.job) return null;
  const says = rest.map((each) => ` --say ${quoted(each.prompt)}`).join("");
  const url = at("/").replace(/\/$/, "");
  const command = `kinesphere live ${first.job}${says} --vmc 127.0.0.1:39539 --url ${url}`;
  return (
    <details class="live-vmc">
      <summary>{say(WORDS.vmc)}</summary>
      <p class="live-dim">{say(WORDS.vmcAbout)}</p>
      <code class="live-command">{command}</code>
      <button
        type="button"
        onClick={() => {
          void navigator.clipboard.writeText(command).then(() => {
            setCopied(true);
          });
        }}
      >
        {say(copied ? WORDS.copied : WORDS.copy)}
      </button>
    </details>
  );
}

/** As shells read it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
