"""Finding jobs again by what was asked for."""

from typing import Final

from kinesphere.core.jobs import Job

MOST_WORDS: Final = 16
"""Words of a search that count; more than a person types."""

_SAID: Final = ("prompt", "picture")
"""Fields of a request that a person recognises it by."""


def words_of(text: str) -> tuple[str, ...]:
    """The words of a search: folded for comparison without case, at most `MOST_WORDS`."""
    return tuple(text.casefold().split()[:MOST_WORDS])


def matches(job: Job, words: tuple[str, ...]) -> bool:
    """Whether each word is somewhere in the job's prompt, its picture's name or its id."""
    said = [str(job.request.get(name, "")) for name in _SAID]
    text = " ".join((*said, job.id)).casefold()
    return all(word in text for word in words)
