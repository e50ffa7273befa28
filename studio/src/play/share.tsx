/** Downloads in every format, and a job as a command, a program, a link. Needs no three.js. */
import { useSignal } from "@preact/signals";

import { at, converted, key } from "../api";
import { address } from "../shell/route";
import { say, type Text } from "../shell/words";
import { endingOf, FORMATS, resultOf, type Job } from "./job";
import { curl, python } from "./snippets";
import "./share.css";

const SAYS = {
  downloads: { en: "Download", zh: "下载" },
  copies: { en: "Copy as", zh: "复制为" },
  fetch: { en: "Download as {format}", zh: "下载 {format} 格式" },
  compare: { en: "Compare with another", zh: "与其他结果对比" },
  link: { en: "Link", zh: "链接" },
  copied: { en: "{what} copied.", zh: "已复制 {what}。" },
  uncopied: { en: "The browser did not allow copying.", zh: "浏览器不允许复制。" },
  fetching: { en: "Fetching {format}…", zh: "正在获取 {format}…" },
  fetched: { en: "{name} is in your downloads.", zh: "{name} 已下载。" },
  unfetched: { en: "The download failed: {why}", zh: "下载失败：{why}" },
} as const satisfies Record<string, Text>;

export function Share({ job }: { job: Job }) {
  const told = useSignal("");
  const busy = useSignal("");
  const result = resultOf(job);

  async function download(format: string) {
    busy.value = format;
    told.value = say(SAYS.fetching, { format: format.toUpperCase() });
    try {
      const file = await converted(job.id, format);
      const name = nameOf(job, format);
      save(file, name);
      told.value = say(SAYS.fetched, { name });
    } catch (error) {
      told.value = say(SAYS.unfetched, { why: error instanceof Error ? error.message : "" });
    } finally {
      busy.value = "";
    }
  }

  async function copy(what: string, text: string) {
    try {
      await navigator.clipboard.writeText(text);
      told.value = say(SAYS.copied, { what });
    } catch {
      told.value = say(SAYS.uncopied);
    }
  }

  const server = at("").replace(/\/$/, "");
  return (
    <div class="play-share">
      {result !== null && (
        <div role="group" aria-label={say(SAYS.downloads)}>
          <span aria-hidden="true">{say(SAYS.downloads)}</span>
          {(FORMATS[job.task] ?? []).map((format) => (
            <button
              type="button"
              key={format}
              aria-label={say(SAYS.fetch, { format: format.toUpperCase() })}
              aria-disabled={busy.value === format}
              onClick={() => { if (busy.value !== format) void download(format); }}
            >
              {format.toUpperCase()}
            </button>
          ))}
        </div>
      )}
      <div role="group" aria-label={say(SAYS.copies)}>
        <span aria-hidden="true">{say(SAYS.copies)}</span>
        <button
          type="button"
          onClick={() => void copy("curl", curl(job, server, key.value !== null))}
        >
          curl
        </button>
        <button type="button" onClick={() => void copy("Python", python(job, server))}>
          Python
        </button>
        <button
          type="button"
          onClick={() => void copy(say(SAYS.link), at(address("job", job.id)))}
        >
          {say(SAYS.link)}
        </button>
      </div>
      {result !== null && <a href={address("compare", job.id)}>{say(SAYS.compare)}</a>}
      <output class="play-told" aria-live="polite">{told.value}</output>
    </div>
  );
}

/** Words of the prompt, so that a folder of downloads can be told apart. */
function nameOf(job: Job, format: string): string {
  const prompt = job.request["prompt"];
  const words = typeof prompt === "string" ? prompt : job.task;
  const kept = words.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 40);
  return `${kept || job.task}.${endingOf(format)}`;
}

function save(file: Blob, name: string): void {
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(file), download: name,
  });
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => { URL.revokeObjectURL(link.href); }, 10_000);
}
