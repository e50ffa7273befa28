"""Which Python runs the engines: vendors pin versions that do not go together."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from kinesphere.settings.parsing import counts, in_words

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


def _absolute(paths: Mapping[str, Path]) -> Mapping[str, Path]:
    # Not resolved: the Python of a virtual environment is a link, and knows itself by its own name.
    return MappingProxyType({name: path.expanduser().absolute() for name, path in paths.items()})


class InterpreterSettings(BaseModel):
    """Which Python runs which engine."""

    interpreters: Annotated[
        Mapping[Name, Path], BeforeValidator(counts), AfterValidator(_absolute)
    ] = Field(
        default_factory=lambda: MappingProxyType({}),
        description="Python interpreters of the engines' processes, by the name of a model or of "
        "one of its pools, so that vendors whose pins do not go together can be served by one "
        "server. The same version of this package must be installed in that environment. What is "
        "not named runs under the server's own.",
        json_schema_extra=in_words(
            "paths by model or pool; in the environment relief=/opt/relief/bin/python or JSON"
        )
        | {"shown": "the server's own"},
    )

    def interpreter_of(self, model: str, pool: str) -> Path | None:
        """The Python of a pool, by its own name or its model's; None for the server's own."""
        return self.interpreters.get(pool) or self.interpreters.get(model)
