"""What an error of torch means: that memory is not enough, or that the GPU does not work. Judged by class and words."""

from __future__ import annotations

import errno
import re

from studio.errors import TrainingError
from studio.machine import GIB

_MEMORY_CLASSES = {"OutOfMemoryError"}
_READING_CLASSES = {"SafetensorError"}
_MEMORY_WORDS = (
    "can't allocate memory",  # c10/core/impl/alloc_cpu.cpp
    "cannot allocate memory",  # strerror(ENOMEM)
    "out of memory",  # CUDA, HIP, MPS
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "std::bad_alloc",
    "can't start new thread",
)
_PIECE = re.compile(r"tried to allocate (\d+) bytes")  # the processor's allocator; the GPU's says it in MiB
_GPU_CLASSES = {"AcceleratorError", "CudaError"}
_GPU_WORDS = (
    "cuda error",
    "cuda driver",
    "cublas_status",
    "cudnn",
    "no kernel image",
    "nvidia driver",
    "not compiled with cuda",
    "no cuda gpus",
    "hip error",
    "nvrtc",
)
_TYPE_WORDS = ("not implemented for", "not supported", "unsupported")


class MemoryShortageError(TrainingError):
    """There was not enough memory for a step of the run. `smaller_helps`: a smaller batch may change that."""

    smaller_helps = True

    @classmethod
    def of_the_model_alone(cls, what: str, why: str) -> MemoryShortageError:
        """There is not even room for the model, whatever the batch."""
        error = cls(what, why=why, next_step="Close other programs, raise the limit, or choose a smaller base model.")
        error.smaller_helps = False
        return error


def is_memory_shortage(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, on the processor's side or the GPU's.

    torch has a class of its own for a full GPU only; the rest are a RuntimeError, an OSError or a MemoryError.
    """
    if isinstance(error, MemoryError | MemoryShortageError) or _classes(error) & _MEMORY_CLASSES:
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    known = isinstance(error, RuntimeError) or bool(_classes(error) & _READING_CLASSES)
    return known and _says(error, _MEMORY_WORDS)


def is_gpu_trouble(error: BaseException) -> bool:
    """Whether an error says that the GPU, its driver or a kernel for it fails: what the processor could still do.

    Only to be asked where training runs on a GPU, for a type that is not supported may be missing anywhere.
    """
    if is_memory_shortage(error) or not isinstance(error, RuntimeError | AssertionError | NotImplementedError):
        return False
    return bool(_classes(error) & _GPU_CLASSES) or _says(error, _GPU_WORDS + _TYPE_WORDS)


def told_shortage(error: BaseException, limit_gb: float) -> MemoryShortageError:
    """An error that `is_memory_shortage` knows, for the person who started the run.

    Args:
        limit_gb: the run's `memory_limit_gb`; 0 is none.
    """
    if isinstance(error, MemoryShortageError):
        return error
    asked = _PIECE.search(str(error))
    why = f"A piece of {int(asked[1]) / GIB:.2g} GiB could not be had." if asked else first_line(error)
    if limit_gb:
        return over_the_limit(limit_gb, why)
    return MemoryShortageError(
        "There is not enough memory for this run.",
        why=why,
        next_step="Lower max_seq_length or batch_size, or close other programs.",
    )


def over_the_limit(limit_gb: float, why: str) -> MemoryShortageError:
    """The run needs more than `memory_limit_gb`."""
    return MemoryShortageError(
        f"The run needs more memory than the {limit_gb:g} GiB it is allowed (memory_limit_gb).",
        why=why,
        next_step="Raise the limit, or lower max_seq_length or batch_size.",
    )


def first_line(error: BaseException) -> str:
    """What an error says, without the stack that torch writes below it."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__


def _classes(error: BaseException) -> set[str]:
    return {one.__name__ for one in type(error).__mro__}


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(one in text for one in words)
