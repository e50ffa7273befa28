"""choreo as an engine: reads the prompt, plays the script."""

from collections.abc import Callable, Sequence

from kinesphere.core.failures import Failure
from kinesphere.core.jobs import Json
from kinesphere.engines.choreo.player import play
from kinesphere.engines.choreo.reading import NotUnderstood, read
from kinesphere.ports import Made, Outcome, Work


class Choreo:
    """Text to motion by choreography; needs no device."""

    def load(self, device: str) -> None:
        """Nothing to load: importing this module brought all that is needed."""

    def warm_up(self) -> None:
        """Play one short script, so that lazily built tables are there."""
        play(read("walk, then wave and kneel"), 2.0, 0)

    def run(
        self,
        batch: Sequence[Work],
        report: Callable[[int, float, str], None],
        cancelled: Callable[[int], bool],
    ) -> Sequence[Outcome]:
        """Make one clip for each prompt."""
        outcomes: list[Outcome] = []
        for index, work in enumerate(batch):
            if cancelled(index):
                outcomes.append(Failure("CANCELLED", "Cancelled before it was begun."))
                continue
            report(index, 0.1, "choreography")
            outcomes.append(self._make(work))
            report(index, 0.9, "choreography")
        return outcomes

    def unload(self) -> None:
        """Nothing to give back."""

    def _make(self, work: Work) -> Outcome:
        request = work.request
        try:
            script = read(str(request["prompt"]))
        except NotUnderstood as nothing:
            unknown = ", ".join(nothing.ignored) or "it holds no words"
            return Failure("PROMPT_NOT_UNDERSTOOD", f"No action was recognised: {unknown}.")
        duration, seed = request["duration"], request["seed"]
        if not isinstance(duration, int | float) or not isinstance(seed, int):
            raise TypeError("a motion request has a numeric duration and an integer seed")
        clip = play(script, float(duration), seed)
        idle = all(action.verb in ("idle", "stand", "balance") for action in script.actions)
        notes: dict[str, Json] = {
            "understood": list(script.understood),
            "ignored": list(script.ignored),
        }
        return Made(clip, notes, still=idle)
