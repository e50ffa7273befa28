/** Keyboard shortcuts, and the dialog that tells them. */
import { signal } from "@preact/signals";

import { Dialog } from "./dialog";
import { PAGES } from "./pages";
import { address } from "./route";
import { say } from "./words";

const WORDS = {
  title: { en: "Keyboard", zh: "键盘快捷键" },
  help: { en: "This list", zh: "显示本列表" },
  prompt: { en: "To the prompt, or to the search", zh: "跳到描述或搜索框" },
  send: { en: "Send what you wrote", zh: "提交" },
  leave: { en: "Leave a dialog", zh: "关闭对话框" },
  close: { en: "Close", zh: "关闭" },
  player: {
    en: "In the player: its own keys are shown beside it.",
    zh: "播放器有自己的快捷键，显示在播放器旁。",
  },
};

export const shown = signal(false);

let leading = false;

/** Act on a key that nobody writes with. */
function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (writing(event.target) || document.querySelector("dialog[open]")) return;
  const led = leading;
  leading = false;
  if (led) {
    const page = Object.entries(PAGES).find(([, each]) => each.key === event.key);
    if (page) window.location.hash = address(page[0]);
  } else if (event.key === "g") leading = true;
  else if (event.key === "?") shown.value = true;
  else if (event.key === "/") {
    const first = document.querySelector<HTMLElement>("[data-slash]");
    if (!first) return;
    event.preventDefault();
    first.focus();
  }
}

window.addEventListener("keydown", pressed);

function writing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
    !(target instanceof HTMLInputElement && /^(range|checkbox|radio)$/.test(target.type))
  );
}

export function KeyHelp() {
  if (!shown.value) return null;
  const leave = () => {
    shown.value = false;
  };
  return (
    <Dialog label={say(WORDS.title)} leave={leave}>
      <article>
        <h2>{say(WORDS.title)}</h2>
        <dl class="shell-keys">
          {Object.entries(PAGES).map(
            ([name, page]) =>
              page.key && <Line key={name} keys={["g", page.key]} text={say(page.name)} />,
          )}
          <Line keys={["/"]} text={say(WORDS.prompt)} />
          <Line keys={["Ctrl", "Enter"]} text={say(WORDS.send)} />
          <Line keys={["?"]} text={say(WORDS.help)} />
          <Line keys={["Esc"]} text={say(WORDS.leave)} />
        </dl>
        <p>{say(WORDS.player)}</p>
        <div class="shell-row shell-end">
          <button type="button" class="shell-primary" autofocus onClick={leave}>
            {say(WORDS.close)}
          </button>
        </div>
      </article>
    </Dialog>
  );
}

function Line({ keys, text }: { keys: readonly string[]; text: string }) {
  return (
    <>
      <dt>
        {keys.map((each) => (
          <kbd key={each}>{each}</kbd>
        ))}
      </dt>
      <dd>{text}</dd>
    </>
  );
}
