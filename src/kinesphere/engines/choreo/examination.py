"""Whether choreo understands anything in a prompt, asked before the job is accepted."""

from collections.abc import Mapping

from kinesphere.core.failures import FieldError, Rejected
from kinesphere.core.jobs import Json
from kinesphere.core.prompts import is_cjk
from kinesphere.engines.choreo.reading import NotUnderstood, read, suggestions


def examine(request: Mapping[str, Json]) -> None:
    """Raise Rejected with PROMPT_NOT_UNDERSTOOD, naming actions that would work."""
    prompt = str(request["prompt"])
    try:
        read(prompt)
    except NotUnderstood as nothing:
        language = "zh" if any(map(is_cjk, prompt)) else "en"
        works = ", ".join(suggestions(nothing.ignored, language))
        raise Rejected(
            "PROMPT_NOT_UNDERSTOOD",
            f"The model recognised no action in this prompt. It knows, for example: {works}.",
            (FieldError("prompt", "names no action that this model knows", works),),
        ) from None
