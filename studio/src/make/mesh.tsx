/** A mesh from a picture. */
import { useEffect, useRef, useState } from "preact/hooks";

import { makeMesh, previewMesh, type Job, type MeshAsk, type MeshPreview } from "../api";
import { Failure } from "../shell/failure";
import { say } from "../shell/words";
import { sizeOf } from "../watch/describe";
import { remember } from "./again";
import { chosen, faces, format, model, picture, seed, seedOf, texture } from "./draft";
import { Field, ModelFields, SeedField } from "./fields";
import { Outlook, Problems, problemsOf } from "./outlook";
import { pictureIn, readable, TYPES } from "./pictures";
import { useReading, type Reading } from "./reading";
import { Send, useSending } from "./send";

const WORDS = {
  picture: { en: "Picture of one object", zh: "单个物体的图片" },
  drop: { en: "Drop a picture here, paste one, or", zh: "将图片拖放或粘贴到此处，或" },
  choose: { en: "choose a file", zh: "选择文件" },
  other: { en: "Choose another", zh: "换一张" },
  remove: { en: "Remove", zh: "移除" },
  kinds: { en: "PNG, JPEG or WebP", zh: "PNG、JPEG 或 WebP" },
  unreadable: {
    en: "{name} is no PNG, JPEG or WebP picture.",
    zh: "{name} 不是 PNG、JPEG 或 WebP 图片。",
  },
  given: { en: "The picture you gave", zh: "您提供的图片" },
  mask: { en: "The object that was found in it", zh: "识别出的物体" },
  looking: { en: "Looking for the object …", zh: "正在识别物体…" },
  texture: { en: "Paint a texture", zh: "生成纹理" },
  faces: { en: "Triangles", zh: "三角面数" },
  free: { en: "as the model sees fit", zh: "由模型决定" },
  range: { en: "{least} to {most}", zh: "{least} 到 {most}" },
  send: { en: "Make the mesh", zh: "生成模型" },
};

export function Mesh({ onMade }: { onMade: (job: Job) => void }) {
  const image = picture.value;
  const by = chosen("mesh");
  const least = by?.min_faces ?? 4;
  const most = by?.max_faces ?? 1_000_000;
  const count = Number(faces.value);
  const badFaces = faces.value !== "" && !(Number.isInteger(count) && count >= least && count <= most);
  const badSeed = seed.value !== "" && seedOf(seed.value) === null;
  const range = say(WORDS.range, { least, most });
  const reading = useReading<MeshPreview>(
    image ? `${image.name}/${image.size}/${image.lastModified}/${model.value.mesh}/${texture.value}` : "",
    image && by ? (stop) => previewMesh(asked(image), stop) : null,
  );
  const sending = useSending(
    (stop) => (image ? makeMesh(asked(image), stop) : Promise.reject(new Error("no picture"))),
    (job) => {
      if (image) remember(job.id, image);
      onMade(job);
    },
  );
  return (
    <form
      class="make-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (image && !badFaces && !badSeed) sending.send();
      }}
    >
      <Picture reading={reading} />
      <Outlook of={image && reading.told} />
      {sending.error !== undefined && <Failure error={sending.error} />}
      <Send sending={sending} label={say(WORDS.send)} disabled={!image || badFaces || badSeed} />
      <label class="make-check">
        <input
          type="checkbox"
          checked={texture.value}
          onChange={(event) => {
            texture.value = event.currentTarget.checked;
          }}
        />
        {say(WORDS.texture)}
      </label>
      <div class="make-pair">
        <Field
          label={say(WORDS.faces)}
          id="make-faces"
          hint={range}
          wrong={badFaces ? range : undefined}
        >
          <input
            id="make-faces"
            inputMode="numeric"
            autocomplete="off"
            placeholder={say(WORDS.free)}
            value={faces.value}
            aria-invalid={badFaces}
            aria-describedby={badFaces ? "make-faces-wrong" : "make-faces-hint"}
            onInput={(event) => {
              faces.value = event.currentTarget.value.trim();
            }}
          />
        </Field>
        <SeedField />
        <ModelFields of="mesh" />
      </div>
    </form>
  );
}

function asked(image: Blob): MeshAsk {
  const drawn = seedOf(seed.value);
  return {
    image,
    texture: texture.value,
    ...(faces.value ? { faces: Number(faces.value) } : {}),
    ...(drawn === null ? {} : { seed: drawn }),
    ...(format.value.mesh ? { format: format.value.mesh } : {}),
    ...(model.value.mesh ? { model: model.value.mesh } : {}),
  };
}

/** Where the picture goes, and what was found in it. */
function Picture({ reading }: { reading: Reading<MeshPreview> }) {
  const [over, setOver] = useState(false);
  const [unreadable, setUnreadable] = useState("");
  const file = useRef<HTMLInputElement>(null);
  const take = (brought: File | null) => {
    if (brought === null) return;
    setUnreadable(readable(brought) ? "" : brought.name);
    if (readable(brought)) picture.value = brought;
  };
  useEffect(() => {
    const pasted = (event: ClipboardEvent) => {
      take(pictureIn(event.clipboardData));
    };
    window.addEventListener("paste", pasted);
    return () => {
      window.removeEventListener("paste", pasted);
    };
  }, []);
  const given = picture.value;
  const shown = useAddress(given);
  return (
    <div
      class={over ? "make-drop make-over" : "make-drop"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => {
        setOver(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(pictureIn(event.dataTransfer));
      }}
    >
      <label class="shell-hidden" for="make-picture">
        {say(WORDS.picture)}
      </label>
      <input
        ref={file}
        id="make-picture"
        class="make-file"
        type="file"
        tabIndex={-1}
        accept={TYPES.join(",")}
        onChange={(event) => {
          take(event.currentTarget.files?.[0] ?? null);
          event.currentTarget.value = "";
        }}
      />
      {given && shown && (
        <div class="make-pictures">
          <figure>
            <img src={shown} alt={say(WORDS.given)} />
            <figcaption>{sizeOf(given.size)}</figcaption>
          </figure>
          <Mask of={reading} />
        </div>
      )}
      <p>
        {!given && say(WORDS.drop)}{" "}
        <button
          type="button"
          data-slash
          onClick={() => {
            file.current?.click();
          }}
        >
          {say(given ? WORDS.other : WORDS.choose)}
        </button>{" "}
        {given && (
          <button
            type="button"
            onClick={() => {
              picture.value = null;
            }}
          >
            {say(WORDS.remove)}
          </button>
        )}
      </p>
      <small>{say(WORDS.kinds)}</small>
      <p class="make-wrong" role="status">
        {unreadable && say(WORDS.unreadable, { name: unreadable })}
      </p>
      {given && <Problems of={problemsOf(reading)} />}
    </div>
  );
}

function Mask({ of }: { of: Reading<MeshPreview> }) {
  const found = of.told?.mask;
  if (of.asking) return <p role="status">{say(WORDS.looking)}</p>;
  if (!found) return null;
  return (
    <figure>
      <img src={`data:image/png;base64,${found.png}`} alt={say(WORDS.mask)} />
      <figcaption>
        {say(WORDS.mask)} {found.advice}
      </figcaption>
    </figure>
  );
}

/** An address for a picture, as long as it is shown. */
function useAddress(of: Blob | null): string | null {
  const [address, setAddress] = useState<string | null>(null);
  useEffect(() => {
    if (of === null) {
      setAddress(null);
      return;
    }
    const made = URL.createObjectURL(of);
    setAddress(made);
    return () => {
      URL.revokeObjectURL(made);
    };
  }, [of]);
  return address;
}
