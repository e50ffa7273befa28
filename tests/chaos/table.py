"""What the crash matrix found, a row a case: printed, and kept in the file at CHAOS_TABLE."""

import os
from dataclasses import dataclass, field
from pathlib import Path

_HEAD = (
    "| case | strikes | jobs | claims | done again within (s) | broken invariants |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: |\n"
)


@dataclass
class Row:
    """One case.

    Attributes:
        strikes: How often harm was done.
        jobs: Jobs that were accepted meanwhile.
        claims: Claims of these jobs; what is beyond `jobs` was run again.
        seconds: For each strike, until all that was accepted before it had ended.
        broken: What the checker of histories had to say.
    """

    case: str
    strikes: int = 0
    jobs: int = 0
    claims: int = 0
    seconds: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        worst = f"{max(self.seconds):.1f}" if self.seconds else ""
        numbers = (self.strikes, self.jobs, self.claims, worst, len(self.broken))
        return f"| {self.case} | {' | '.join(map(str, numbers))} |"


def tell(row: Row) -> None:
    """Print a row, and add it to the table."""
    print(f"\n{row}")
    name = os.environ.get("CHAOS_TABLE")
    if name:
        path = Path(name)
        with path.open("a") as table:
            if table.tell() == 0:
                table.write(_HEAD)
            table.write(f"{row}\n")
