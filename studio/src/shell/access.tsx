/** Signing in where the server wants to know who asks. */
import { useState } from "preact/hooks";

import { decline, key, signIn, wanted } from "../api";
import { Dialog } from "./dialog";
import { say } from "./words";

const WORDS = {
  title: { en: "Sign in", zh: "登录" },
  why: {
    en: "This server wants to know who you are. Whoever runs it can give you an API key.",
    zh: "此服务器需要验证身份。请向管理员索取 API 密钥。",
  },
  refused: {
    en: "The server does not take this key. It may have been mistyped, or revoked.",
    zh: "服务器不接受该密钥：可能输入有误，或已被吊销。",
  },
  key: { en: "API key", zh: "API 密钥" },
  kept: {
    en: "It is kept in this tab until you close it, and sent to this server alone.",
    zh: "密钥仅保存在当前标签页，关闭后即清除，且只会发送给此服务器。",
  },
  later: { en: "Not now", zh: "暂不" },
};

export function SignIn() {
  const [given, give] = useState("");
  if (!wanted.value) return null;
  return (
    <Dialog label={say(WORDS.title)} leave={decline}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (given.trim()) signIn(given.trim());
          give("");
        }}
      >
        <h2>{say(WORDS.title)}</h2>
        <p>{say(key.value === null ? WORDS.why : WORDS.refused)}</p>
        <label>
          {say(WORDS.key)}
          <input
            type="password"
            autocomplete="current-password"
            required
            autofocus
            value={given}
            onInput={(event) => {
              give(event.currentTarget.value);
            }}
          />
        </label>
        <p>
          <small>{say(WORDS.kept)}</small>
        </p>
        <div class="shell-row shell-end">
          <button type="button" onClick={decline}>
            {say(WORDS.later)}
          </button>
          <button class="shell-primary">{say(WORDS.title)}</button>
        </div>
      </form>
    </Dialog>
  );
}
