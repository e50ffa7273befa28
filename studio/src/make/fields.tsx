/** Parts of the form that motions and meshes share. */
import type { ComponentChildren } from "preact";

import type { Model, Task } from "../api";
import { say } from "../shell/words";
import { chosen, format, LARGEST_SEED, model, offered, seed, seedOf } from "./draft";

const WORDS = {
  seed: { en: "Seed", zh: "随机种子" },
  drawn: { en: "drawn for you", zh: "自动抽取" },
  seedWrong: { en: "A whole number from 0 to {most}.", zh: "请输入 0 到 {most} 的整数。" },
  dice: { en: "Draw a seed", zh: "随机抽取种子" },
  model: { en: "Model", zh: "模型" },
  best: { en: "Best that fits ({name})", zh: "自动选择（{name}）" },
  format: { en: "File format", zh: "文件格式" },
  usual: { en: "{format}, as usual", zh: "默认（{format}）" },
  later: {
    en: "Every other format can be downloaded later, too.",
    zh: "其他格式之后也可以下载。",
  },
  simulated: { en: "{name} (simulated)", zh: "{name}（模拟）" },
};

export function Field(props: {
  label: string;
  id: string;
  children: ComponentChildren;
  hint?: string | undefined;
  wrong?: string | undefined;
}) {
  const { label, id, children, hint, wrong } = props;
  return (
    <div class="make-field">
      <label for={id}>{label}</label>
      {children}
      {hint && !wrong && <small id={`${id}-hint`}>{hint}</small>}
      {wrong && (
        <small id={`${id}-wrong`} class="make-wrong">
          {wrong}
        </small>
      )}
    </div>
  );
}

export function SeedField() {
  const wrong = seed.value !== "" && seedOf(seed.value) === null;
  return (
    <Field
      label={say(WORDS.seed)}
      id="make-seed"
      wrong={wrong ? say(WORDS.seedWrong, { most: LARGEST_SEED }) : undefined}
    >
      <div class="make-joined">
        <input
          id="make-seed"
          inputMode="numeric"
          autocomplete="off"
          placeholder={say(WORDS.drawn)}
          value={seed.value}
          aria-invalid={wrong}
          aria-describedby={wrong ? "make-seed-wrong" : undefined}
          onInput={(event) => {
            seed.value = event.currentTarget.value.trim();
          }}
        />
        <button
          type="button"
          aria-label={say(WORDS.dice)}
          title={say(WORDS.dice)}
          onClick={() => {
            const [drawn = 0] = crypto.getRandomValues(new Uint32Array(1));
            seed.value = String(drawn);
          }}
        >
          <Dice />
        </button>
      </div>
    </Field>
  );
}

function Dice() {
  return (
    <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
      <rect x="2" y="2" width="16" height="16" rx="3.5" fill="none" stroke="currentColor" stroke-width="1.6" />
      {[[6.5, 6.5], [13.5, 6.5], [10, 10], [6.5, 13.5], [13.5, 13.5]].map(([x, y]) => (
        <circle key={`${x}/${y}`} cx={x} cy={y} r="1.5" fill="currentColor" />
      ))}
    </svg>
  );
}

export function ModelFields({ of }: { of: Task }) {
  const fitting = (offered.value ?? []).filter((each) => each.task === of);
  const usual = fitting.find((each) => each.default) ?? fitting[0];
  const formats = chosen(of)?.formats ?? [];
  return (
    <>
      <Field label={say(WORDS.model)} id="make-model" hint={chosen(of)?.title}>
        <select
          id="make-model"
          aria-describedby="make-model-hint"
          value={model.value[of]}
          onChange={(event) => {
            model.value = { ...model.value, [of]: event.currentTarget.value };
            format.value = { ...format.value, [of]: "" };
          }}
        >
          <option value="">{usual ? say(WORDS.best, { name: usual.name }) : "…"}</option>
          {fitting.map((each) => (
            <option key={each.name} value={each.name}>
              {nameOf(each)}
            </option>
          ))}
        </select>
      </Field>
      <Field label={say(WORDS.format)} id="make-format" hint={say(WORDS.later)}>
        <select
          id="make-format"
          aria-describedby="make-format-hint"
          value={format.value[of]}
          onChange={(event) => {
            format.value = { ...format.value, [of]: event.currentTarget.value };
          }}
        >
          <option value="">
            {formats[0] ? say(WORDS.usual, { format: formats[0].toUpperCase() }) : "…"}
          </option>
          {formats.slice(1).map((each) => (
            <option key={each} value={each}>
              {each.toUpperCase()}
            </option>
          ))}
        </select>
      </Field>
    </>
  );
}

function nameOf(each: Model): string {
  return each.simulated ? say(WORDS.simulated, { name: each.name }) : each.name;
}
