/** A motion from a prompt. */
import { makeMotion, previewMotion, type Job, type MotionAsk, type MotionPreview } from "../api";
import { Failure } from "../shell/failure";
import { language, say, type Text } from "../shell/words";
import { chosen, duration, format, model, prompt, seed, seedOf } from "./draft";
import { Field, ModelFields, SeedField } from "./fields";
import { lengthOf } from "./length";
import { Outlook, Problems, problemsOf } from "./outlook";
import { useReading } from "./reading";
import { Send, useSending } from "./send";

const WORDS = {
  prompt: { en: "What should the figure do?", zh: "人物要做什么动作？" },
  example: { en: "For example:", zh: "例如：" },
  words: { en: "{count} of {limit} words", zh: "{count} / {limit} 个词" },
  characters: { en: "{count} of {limit} characters", zh: "{count} / {limit} 个字" },
  tooLong: { en: "too long for this model", zh: "超出该模型的上限" },
  duration: { en: "Length", zh: "时长" },
  seconds: { en: "{n} s", zh: "{n} 秒" },
  understood: { en: "Will be done", zh: "将会执行" },
  unknown: { en: "Not understood", zh: "无法理解" },
  send: { en: "Make the motion", zh: "生成动作" },
};

/** Both languages, whichever the page is in: the models read both. */
const EXAMPLES: readonly Text[] = [
  { en: "a tired man walks in a circle, then waves twice", zh: "一个疲惫的人绕圈走，然后挥手两次" },
  { en: "someone jumps with joy and spins", zh: "一个人高兴地跳起来并旋转" },
  { en: "a dancer spins, then kneels on one knee", zh: "一个舞者旋转跳跃后单膝跪地" },
];

export function Motion({ onMade }: { onMade: (job: Job) => void }) {
  const by = chosen("motion");
  const length = by && lengthOf(prompt.value, by);
  const tooLong = length !== null && length.count > length.limit;
  const badSeed = seed.value !== "" && seedOf(seed.value) === null;
  const empty = prompt.value.trim() === "";
  const wanted = asked();
  const reading = useReading<MotionPreview>(
    JSON.stringify(wanted),
    empty || tooLong || badSeed || by === null ? null : (stop) => previewMotion(wanted, stop),
  );
  const sending = useSending((stop) => makeMotion(wanted, stop), onMade);
  // That it is too long is said beside the count, at once.
  const problems = tooLong ? [] : problemsOf(reading);
  return (
    <form
      class="make-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!empty && !tooLong && !badSeed) sending.send();
      }}
    >
      <div class="make-field">
        <label for="make-prompt">{say(WORDS.prompt)}</label>
        <textarea
          id="make-prompt"
          data-slash
          rows={3}
          maxLength={4000}
          value={prompt.value}
          aria-invalid={tooLong}
          aria-describedby="make-count make-reading"
          onInput={(event) => {
            prompt.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            const sends = event.key === "Enter" && (event.ctrlKey || event.metaKey);
            if (sends && !event.isComposing) event.currentTarget.form?.requestSubmit();
          }}
        />
        <p id="make-count" class={tooLong ? "make-count make-wrong" : "make-count"}>
          {length &&
            say(WORDS[length.unit], { count: length.count, limit: length.limit }) +
              (tooLong ? ` – ${say(WORDS.tooLong)}` : "")}
        </p>
        <div id="make-reading" class="make-reading" role="status">
          {reading.told && !empty && <Read of={reading.told} />}
          {!empty && <Problems of={problems} />}
        </div>
      </div>
      <Examples />
      <Field label={say(WORDS.duration)} id="make-duration">
        <Duration least={by?.min_duration ?? 0.5} most={by?.max_duration ?? 30} />
      </Field>
      <Outlook of={empty ? null : reading.told} />
      {sending.error !== undefined && <Failure error={sending.error} />}
      <Send sending={sending} label={say(WORDS.send)} disabled={empty || tooLong || badSeed} />
      <div class="make-pair">
        <SeedField />
        <ModelFields of="motion" />
      </div>
    </form>
  );
}

/** The request as the form has it. */
function asked(): MotionAsk {
  const drawn = seedOf(seed.value);
  return {
    prompt: prompt.value,
    duration: duration.value,
    ...(drawn === null ? {} : { seed: drawn }),
    ...(format.value.motion ? { format: format.value.motion } : {}),
    ...(model.value.motion ? { model: model.value.motion } : {}),
  };
}

function Examples() {
  const second = language.value === "zh" ? "en" : "zh";
  const shown = EXAMPLES.map((each) => [language.value, each[language.value]] as const);
  const more = EXAMPLES.slice(-1).map((each) => [second, each[second]] as const);
  return (
    <div class="make-examples">
      <span>{say(WORDS.example)}</span>
      {[...shown, ...more].map(([spoken, text]) => (
        <button
          key={text}
          type="button"
          lang={spoken === "zh" ? "zh-CN" : "en"}
          onClick={() => {
            prompt.value = text;
          }}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

function Duration({ least, most }: { least: number; most: number }) {
  const shown = say(WORDS.seconds, { n: duration.value });
  return (
    <div class="make-range">
      <input
        id="make-duration"
        type="range"
        min={least}
        max={most}
        step={0.5}
        value={duration.value}
        aria-valuetext={shown}
        onInput={(event) => {
          duration.value = event.currentTarget.valueAsNumber;
        }}
      />
      <output for="make-duration">{shown}</output>
    </div>
  );
}

function Read({ of }: { of: MotionPreview }) {
  const understood = of.understood ?? [];
  return (
    <>
      {understood.length > 0 && <span>{say(WORDS.understood)}</span>}
      {understood.map((each, place) => (
        <span key={place} class="make-known" title={each.text}>
          {[each.action, ...each.manner, each.count === null ? "" : `× ${each.count}`]
            .filter(Boolean)
            .join(" ")}
        </span>
      ))}
      {of.unknown.length > 0 && <span>{say(WORDS.unknown)}</span>}
      {of.unknown.map((each, place) => (
        <span key={place} class="make-unknown">
          {each}
        </span>
      ))}
    </>
  );
}
