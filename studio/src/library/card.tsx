/** One work in the library. */
import { useEffect, useRef, useState } from "preact/hooks";

import { ended, forget, type Job } from "../api";
import { Confirm } from "../shell/confirm";
import { address } from "../shell/route";
import { Later } from "../shell/later";
import { say } from "../shell/words";
import { titleOf } from "../watch/describe";
import { Actions, Facts, Progress } from "../watch/panel";
import { known } from "../watch/store";
import "../watch/style.css";

const WORDS = {
  files: { en: "Download and copy", zh: "下载与复制" },
  open: { en: "Open {title}", zh: "打开 {title}" },
  remove: { en: "Delete", zh: "删除" },
  removeThis: { en: "Delete {title}", zh: "删除 {title}" },
  means: {
    en: "“{title}” and its files are deleted for good. Links to it end.",
    zh: "“{title}”及其文件将被永久删除，指向它的链接也会失效。",
  },
};

const thumbnailOf = (job: Job) => import("../play").then((found) => found.thumbnail(job));

const share = () => import("../play/share").then((found) => found.Share);

interface CardProps {
  readonly job: Job;
  readonly onMade: (made: Job) => void;
  readonly onGone: () => void;
}

export function Card({ job, onMade, onGone }: CardProps) {
  const [open, setOpen] = useState(false);
  const [asked, setAsked] = useState(false);
  const title = titleOf(job);
  return (
    <li class="library-card">
      <a
        class="library-picture"
        href={address("job", job.id)}
        aria-label={say(WORDS.open, { title })}
      >
        <Thumbnail job={job} />
      </a>
      <h2>{title}</h2>
      <Facts job={job} />
      <Progress of={known.value.get(job.id) ?? { job, due: null, seen: false }} />
      <Actions job={job} linked={false} onMade={onMade}>
        {ended(job) && (
          <button
            type="button"
            aria-label={say(WORDS.removeThis, { title })}
            onClick={() => {
              setAsked(true);
            }}
          >
            {say(WORDS.remove)}
          </button>
        )}
      </Actions>
      {asked && (
        <Confirm
          of={{
            act: say(WORDS.remove),
            means: say(WORDS.means, { title }),
            grave: true,
            run: () => forget(job.id),
          }}
          leave={(done) => {
            setAsked(false);
            if (done) onGone();
          }}
        />
      )}
      {ended(job) && (
        <details
          onToggle={(event) => {
            setOpen(event.currentTarget.open);
          }}
        >
          <summary>{say(WORDS.files)}</summary>
          {open && <Later load={share} props={{ job }} />}
        </details>
      )}
    </li>
  );
}

/** Drawn when it comes into sight, one after the other. */
function Thumbnail({ job }: { job: Job }) {
  const place = useRef<HTMLSpanElement>(null);
  const [picture, setPicture] = useState<string | null>(null);
  const drawable = job.state === "succeeded" && !(job.model.simulated && job.artifacts.length === 0);
  useEffect(() => {
    const own = place.current;
    if (own === null || !drawable) return;
    const stop = new AbortController();
    const seen = new IntersectionObserver(
      (entries) => {
        if (!entries.some((each) => each.isIntersecting)) return;
        seen.disconnect();
        thumbnailOf(job).then(
          (drawn) => {
            if (!stop.signal.aborted) setPicture(drawn);
          },
          () => undefined, // It stays a sign of its kind.
        );
      },
      { rootMargin: "200px" },
    );
    seen.observe(own);
    return () => {
      seen.disconnect();
      stop.abort();
    };
  }, [job.id, drawable]);
  return (
    <span ref={place} class="library-thumbnail">
      {picture ? <img src={picture} alt="" /> : <Sign of={job.task} />}
    </span>
  );
}

function Sign({ of }: { of: Job["task"] }) {
  return (
    <svg viewBox="0 0 48 48" width="48" height="48" fill="none" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      {of === "motion" ? (
        <>
          <circle cx="27" cy="9" r="4" />
          <path d="M26 15 L22 27 L30 34 L29 43 M22 27 L15 33 L9 41 M25 18 L15 22 L13 28 M25 18 L32 24 L39 22" />
        </>
      ) : (
        <path d="M24 5 L41 14 V33 L24 43 L7 33 V14 Z M7 14 L24 24 L41 14 M24 24 V43" />
      )}
    </svg>
  );
}
