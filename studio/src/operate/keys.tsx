/** API keys: made, shown once, revoked. */
import { useCallback, useState } from "preact/hooks";

import { Problem } from "../api";
import { Confirm, type Question } from "../shell/confirm";
import { Dialog } from "../shell/dialog";
import { Failure } from "../shell/failure";
import { say } from "../shell/words";
import { createKey, type Key, keys, revokeKey, type Scope } from "./api";
import { moment } from "./figures";
import { Pager, Table, useLook } from "./parts";

const WORDS = {
  off: {
    en: "This server has no keys: it answers on this machine only, and everybody there may operate. Set authentication to have keys.",
    zh: "该服务器未启用密钥：仅在本机可访问，且所有人都可运维。配置 authentication 后即可使用密钥。",
  },
  none: { en: "There is no key yet.", zh: "还没有密钥。" },
  title: { en: "Keys", zh: "密钥" },
  make: { en: "Create a key", zh: "创建密钥" },
  user: { en: "User", zh: "用户" },
  label: { en: "Label", zh: "备注" },
  scope: { en: "May", zh: "权限" },
  generate: { en: "Generate: make assets, see one's own", zh: "生成：创建并查看自己的作品" },
  operate: { en: "Operate: that, and everything on this page", zh: "运维：以上权限及本页全部功能" },
  made: { en: "Key of {user}", zh: "{user} 的密钥" },
  once: {
    en: "This is the only time that it is shown. It is stored nowhere.",
    zh: "密钥仅显示这一次，服务器不会保存。",
  },
  copy: { en: "Copy", zh: "复制" },
  copied: { en: "Copied.", zh: "已复制。" },
  uncopied: { en: "Copy it by hand.", zh: "请手动复制。" },
  done: { en: "I have kept it", zh: "我已保存" },
  id: { en: "Id", zh: "编号" },
  scopes: { en: "Scopes", zh: "权限" },
  created: { en: "Created", zh: "创建时间" },
  used: { en: "Last used", zh: "最近使用" },
  state: { en: "State", zh: "状态" },
  valid: { en: "valid", zh: "有效" },
  expired: { en: "expired", zh: "已过期" },
  revoked: { en: "revoked", zh: "已吊销" },
  revoke: { en: "Revoke", zh: "吊销" },
  revokeOf: { en: "Revoke the key {label} of {user}", zh: "吊销 {user} 的密钥 {label}" },
  means: {
    en: "Whoever uses it is refused within five seconds, and their streams end. It cannot be undone.",
    zh: "使用该密钥的请求将在五秒内被拒绝，其数据流也会断开。此操作不可撤销。",
  },
};

const EVERY = 10_000;

export function Keys() {
  const [cursor, setCursor] = useState<string | null>(null);
  const look = useCallback((stop: AbortSignal) => keys(cursor, stop), [cursor]);
  const { found, error, again } = useLook(look, EVERY);
  const [question, setQuestion] = useState<Question>();
  const [made, setMade] = useState<{ user: string; key: string }>();
  if (error instanceof Problem && error.code === "ROUTE_NOT_FOUND") return <p>{say(WORDS.off)}</p>;
  return (
    <div class="operate-wide">
      {error !== undefined && <Failure error={error} again={again} />}
      {found && (
        <Make
          made={(key) => {
            setMade(key);
            again();
          }}
        />
      )}
      {found?.items.length === 0 && <p>{say(WORDS.none)}</p>}
      {found && found.items.length > 0 && (
        <List
          of={found.items}
          revoke={(key) => {
            setQuestion({
              act: say(WORDS.revokeOf, { label: key.label || key.id, user: key.user }),
              means: say(WORDS.means),
              grave: true,
              run: () => revokeKey(key.id),
            });
          }}
        />
      )}
      <Pager cursor={cursor} next={found?.next_cursor} go={setCursor} />
      {made && (
        <Once
          of={made}
          leave={() => {
            setMade(undefined);
          }}
        />
      )}
      {question && (
        <Confirm
          of={question}
          leave={(done) => {
            setQuestion(undefined);
            if (done) again();
          }}
        />
      )}
    </div>
  );
}

function Make({ made }: { made: (key: { user: string; key: string }) => void }) {
  const [user, setUser] = useState("");
  const [label, setLabel] = useState("");
  const [scope, setScope] = useState<Scope>("generate");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const { key } = await createKey({ user: user.trim(), scopes: [scope], label });
      made({ user: user.trim(), key });
      setUser("");
      setLabel("");
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      class="operate-card operate-form"
      onSubmit={(event) => {
        event.preventDefault();
        void go();
      }}
    >
      <h2>{say(WORDS.make)}</h2>
      <label>
        {say(WORDS.user)}
        <input
          required
          maxLength={100}
          autocomplete="off"
          value={user}
          onInput={(event) => {
            setUser(event.currentTarget.value);
          }}
        />
      </label>
      <label>
        {say(WORDS.label)}
        <input
          maxLength={100}
          autocomplete="off"
          value={label}
          onInput={(event) => {
            setLabel(event.currentTarget.value);
          }}
        />
      </label>
      <label>
        {say(WORDS.scope)}
        <select
          value={scope}
          onChange={(event) => {
            setScope(event.currentTarget.value as Scope);
          }}
        >
          <option value="generate">{say(WORDS.generate)}</option>
          <option value="operate">{say(WORDS.operate)}</option>
        </select>
      </label>
      <button type="submit" class="shell-primary" disabled={busy}>
        {say(WORDS.make)}
      </button>
      {error !== undefined && <Failure error={error} />}
    </form>
  );
}

function Once({ of, leave }: { of: { user: string; key: string }; leave: () => void }) {
  const [told, setTold] = useState("");
  const title = say(WORDS.made, { user: of.user });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(of.key);
      setTold(say(WORDS.copied));
    } catch {
      // Without https a page may not write there.
      setTold(say(WORDS.uncopied));
    }
  };
  return (
    <Dialog label={title} leave={leave}>
      <article>
        <h2>{title}</h2>
        <p>{say(WORDS.once)}</p>
        <label>
          {say(WORDS.title)}
          <input
            readOnly
            value={of.key}
            class="operate-secret"
            onFocus={(event) => {
              event.currentTarget.select();
            }}
          />
        </label>
        <div class="shell-row shell-end">
          <span role="status">{told}</span>
          <button type="button" onClick={() => void copy()}>
            {say(WORDS.copy)}
          </button>
          <button type="button" class="shell-primary" onClick={leave}>
            {say(WORDS.done)}
          </button>
        </div>
      </article>
    </Dialog>
  );
}

function List({ of, revoke }: { of: readonly Key[]; revoke: (key: Key) => void }) {
  return (
    <Table
      label={say(WORDS.title)}
      heads={[
        say(WORDS.user),
        say(WORDS.label),
        say(WORDS.id),
        say(WORDS.scopes),
        say(WORDS.created),
        say(WORDS.used),
        say(WORDS.state),
        null,
      ]}
    >
      {of.map((each) => {
        const state = stateOf(each);
        return (
          <tr key={each.id}>
            <th scope="row">{each.user}</th>
            <td>{each.label}</td>
            <td>
              <code>{each.id}</code>
            </td>
            <td>{each.scopes.join(", ")}</td>
            <td>{moment(each.created_at)}</td>
            <td>{moment(each.last_used_at)}</td>
            <td class={state === "valid" ? "operate-good" : "operate-dim"}>
              {say(WORDS[state])}
            </td>
            <td>
              {state === "valid" && (
                <button
                  type="button"
                  class="shell-danger"
                  aria-label={say(WORDS.revokeOf, {
                    label: each.label || each.id,
                    user: each.user,
                  })}
                  onClick={() => {
                    revoke(each);
                  }}
                >
                  {say(WORDS.revoke)}
                </button>
              )}
            </td>
          </tr>
        );
      })}
    </Table>
  );
}

function stateOf(key: Key): "valid" | "expired" | "revoked" {
  if (key.revoked_at !== null) return "revoked";
  const over = key.expires_at !== null && Date.parse(key.expires_at) <= Date.now();
  return over ? "expired" : "valid";
}
