"""Settings of devices, of what is told about them, and of the weights kept for them."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from kinesphere.settings.parsing import in_words, names

DeviceName = Annotated[str, Field(pattern=r"^(cpu|mps|[0-9]{1,3}|(GPU|MIG)-[0-9A-Za-z-]{4,60})$")]


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser().absolute()


class DeviceSettings(BaseModel):
    """Which devices there are for replicas, and what is kept and told for them."""

    devices: Annotated[tuple[DeviceName, ...] | None, BeforeValidator(names)] = Field(
        default=None,
        min_length=1,
        description="Devices for the replicas of models that are not embedded: numbers or UUIDs of "
        "GPUs as nvidia-smi lists them, or cpu. A new replica goes to the one that has the fewest. "
        "Unset, all GPUs that this process may see, and the CPU where there is none.",
        json_schema_extra=in_words("a list such as 0,1; GPU-…, MIG-…, mps and cpu go too")
        | {"shown": "all GPUs, else cpu"},
    )
    telemetry_seconds: float = Field(
        default=5.0,
        ge=1.0,
        le=300.0,
        description="Seconds between two readings of a GPU's memory, load, temperature and PCIe "
        "link. 5 is three times in the 15 s that Prometheus usually scrapes by; a reading takes "
        "40 ms of a thread that waits.",
    )
    weights: Annotated[Path | None, AfterValidator(_absolute)] = Field(
        default=None,
        description="Folder of this machine in which models' weights are kept, best on a local "
        "disk that outlives the process. Unset, weights in the data folder.",
        json_schema_extra=in_words("a path") | {"shown": "weights in the data folder"},
    )
    weights_limit_bytes: int | None = Field(
        default=None,
        ge=1_000_000,
        le=1_000_000_000_000_000,
        description="Most bytes that weights may take together; a pull that would take more is "
        "refused before it begins. Unset, as many as the disk has, less 1 GB.",
        json_schema_extra=in_words("1,000,000 to 1,000,000,000,000,000"),
    )
