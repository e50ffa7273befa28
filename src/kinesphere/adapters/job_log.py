"""A log line for each thing that happens to a job."""

import logging
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Final

from kinesphere.adapters.job_news import error_code
from kinesphere.adapters.logs import say
from kinesphere.core import prompts
from kinesphere.core.jobs import TERMINAL, Event, EventKind, Job
from kinesphere.ports import Record

MOST_KEYWORDS: Final = 10

_log = logging.getLogger("kinesphere.jobs")

# A job's prompt is hashed once, not for each of its events.
_digest = lru_cache(maxsize=1_000)(prompts.digest)

_WARN: Final = frozenset({EventKind.FAILED, EventKind.EXPIRED})
_ENDS: Final = frozenset(EventKind(state.value) for state in TERMINAL)
# Level, action and words of the line of each kind of event.
_LINES: Final = {
    kind: (
        logging.WARNING if kind in _WARN else logging.INFO,
        f"job.{kind.value}",
        kind.value.replace("_", " "),
    )
    for kind in EventKind
}
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# Words that say how a sentence is built, not what is to be made.
_GRAMMAR: Final = """
a an the and or but nor so as if then than that this these those there here it its he she they him
her his their them we you i me my your our us who whom which what while when where with without of
in on at to from by for into onto over under up down out off is are was were be been being am do
does did doing has have had having will would can could shall should may might must not no very too
just also some any each both all one please
"""
# What is told of an event's data, and under which name.
_FACTS: Final = {
    **{name: name for name in (
        "pool", "detail", "worker", "token", "attempt", "attempts", "next", "while", "was",
        "cached", "joined", "inherited", "heir",
    )},
    "waited": "waited_sec",
}  # fmt: skip
_FUNCTION_WORDS: Final = frozenset(_GRAMMAR.split())
_FUNCTION_CHARACTERS: Final = frozenset(
    "的了着过在是和与并又再就也都而且然后一个个位名他她它你我们把被将从到向往对给让请地得这那"
)


class JobLog:
    """Tells events to the log. A `Teller` of `kinesphere.adapters.job_news`.

    A prompt appears as its hash, and in the line of a failed job as its keywords; as its text only
    when `prompt_text` is set.
    """

    def __init__(self, *, prompt_text: bool) -> None:
        self._prompt_text = prompt_text

    def tell(self, record: Record, job: Job | None) -> None:
        """Log one event."""
        event = record.event
        level, action, words = _LINES[event.kind]
        extra: dict[str, object] = {
            "action": action,
            "job_id": record.job_id,
            "seq": record.seq,
            "error_code": error_code(event),
        }
        for fact, value in event.data.items():
            name = _FACTS.get(fact)
            if name is not None:
                extra[name] = value
        if job is not None:
            extra |= self._facts(job, event)
            extra["pool"] = extra.get("pool") or job.pool
            if event.kind in _ENDS:
                extra["duration_sec"] = round(record.at - job.created_at, 3)
        say(_log, level, "job %s", words, facts=extra)

    def _facts(self, job: Job, event: Event) -> dict[str, object]:
        facts: dict[str, object] = {
            "user": job.user,
            "model": job.model,
            "request_id": job.request_id or None,
            "trace_id": job.trace_id,
            "clip_sec": job.request.get("duration"),
        }
        prompt, detail = job.request.get("prompt"), event.data.get("detail")
        if isinstance(prompt, str):
            facts["prompt_hash"] = _digest(prompt)
            if event.kind is EventKind.FAILED:
                facts["prompt_keywords"] = keywords(prompt)
            if self._prompt_text:
                facts["prompt"] = prompt
            elif isinstance(detail, str):
                # An engine may quote what it could not do.
                facts["detail"] = detail.replace(prompt, "[prompt]")
        return facts


def keywords(prompt: str) -> list[str]:
    """At most 10 words of `prompt` that say what is to be made, in order, each once.

    Words of spaced scripts are in lower case, function words and numbers left out. Runs of CJK
    characters, which have no spaces, are cut at function characters and into pairs.
    """
    normal = prompts.normalise(prompt)
    found = (word for run in _WORD.findall(normal) for word in _words(run))
    return list(islice(dict.fromkeys(found), MOST_KEYWORDS))


def _words(run: str) -> Iterator[str]:
    spaced, cjk = "", ""
    for character in f"{run} ":
        if prompts.is_cjk(character) and character not in _FUNCTION_CHARACTERS:
            cjk += character
        else:
            yield from (cjk[i : i + 2] for i in range(0, len(cjk), 2))
            cjk = ""
        if prompts.is_cjk(character) or character == " ":
            if len(spaced) > 1 and spaced not in _FUNCTION_WORDS:
                yield spaced
            spaced = ""
        else:
            spaced += character
