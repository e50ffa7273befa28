"""Running out of a GPU's memory: told from other errors, answered with smaller batches, remembered.

Nothing here imports torch; it is asked only where an engine has brought it in.
"""

import gc
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from kinesphere.core.failures import Failure

Item = TypeVar("Item")
Result = TypeVar("Result")

SIZES: Final = (
    4, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 64, 80, 94, 96, 128, 141, 180, 192, 256, 288,
)  # fmt: skip
"""Gigabytes that GPUs are sold with. Drivers tell a little less: 23.5 GiB of 24 GB, 79.2 of 80."""

_SAID: Final = re.compile(
    r"(CUDA|HIP|XPU)( error:)? out of memory|CUBLAS_STATUS_ALLOC_FAILED"
    r"|CUDNN_STATUS_ALLOC_FAILED|cudaErrorMemoryAllocation",
    re.IGNORECASE,
)
_HOST_SAID: Final = re.compile(r"DefaultCPUAllocator|not enough memory: you tried to allocate")


def out_of_memory(error: BaseException) -> bool:
    """Whether the error says that a GPU's memory is used up.

    Drivers and libraries that allocate past torch's allocator say so in a plain RuntimeError.
    """
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_SAID.search(str(error)))


def out_of_host_memory(error: BaseException) -> bool:
    """Whether the error says that main memory is used up; torch says so in a RuntimeError."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_HOST_SAID.search(str(error)))


def release() -> None:
    """Give what torch keeps for reuse back to the device, so that a smaller pass may begin anew."""
    gc.collect()
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def peak_bytes(device: str) -> int | None:
    """Most memory that torch reserved since this was last asked; None where there is no GPU."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda") or not torch.cuda.is_available():
        return None
    peak = int(torch.cuda.max_memory_reserved(device))
    torch.cuda.reset_peak_memory_stats(device)
    return peak


def sold_as(total: int) -> int:
    """Gigabytes by which a device of `total` bytes is known, the next size that is sold."""
    gigabytes = total / 2**30
    place = bisect_left(SIZES, gigabytes)
    return SIZES[place] if place < len(SIZES) else round(gigabytes)


def failure(device: str) -> Failure:
    """OOM_GPU_<size>GB, or OOM_HOST where the device is no GPU that can be asked."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda") or not torch.cuda.is_available():
        return Failure("OOM_HOST", "The model ran out of memory on this job alone.")
    size = sold_as(torch.cuda.get_device_properties(torch.device(device)).total_memory)
    return Failure(f"OOM_GPU_{size}GB", "The model ran out of GPU memory on this job alone.")


class Passes:
    """Runs jobs in passes of as many as fit at once, which is learnt by running out of memory.

    A pass that does not fit is halved, and no later one is as large: running out costs the time of
    the pass that is lost, so it should happen once. It is forgotten when the process ends.
    """

    def __init__(self, device: str, most: int = 1_024) -> None:
        """`most` is the largest pass to try."""
        self._device = device
        self.most = most

    def run(
        self, jobs: Sequence[Item], make: Callable[[Sequence[Item]], Sequence[Result]]
    ) -> list[Result | Failure]:
        """One result for each job, in order; a failure for one that does not fit alone.

        `make` makes one result for each job that it is given, or raises. Errors other than running
        out of GPU memory pass through.
        """
        results: list[Result | Failure] = []
        while len(results) < len(jobs):
            some = jobs[len(results) : len(results) + self.most]
            made = self._tried(some, make)
            if made is not None:
                results += made
            elif len(some) > 1:
                self.most = len(some) // 2
            else:
                results.append(failure(self._device))
        return results

    def _tried(
        self, some: Sequence[Item], make: Callable[[Sequence[Item]], Sequence[Result]]
    ) -> Sequence[Result] | None:
        """What was made, or None where memory ran out."""
        try:
            return make(some)
        except Exception as error:
            if out_of_host_memory(error):
                raise MemoryError from error
            if not out_of_memory(error):
                raise
        # Out of the handler: the traceback there keeps the pass's tensors alive.
        release()
        return None
