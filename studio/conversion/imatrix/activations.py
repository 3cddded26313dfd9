"""What goes into the weight matrices of a GGUF model while llama.cpp reads a text. For worker processes only.

llama-cpp-python has no function for importance matrices. But a context takes a callback (`cb_eval`) that llama.cpp asks
before and tells after each step of the computation, with the step's `struct ggml_tensor`: for a product of matrices its
first source is the weight matrix, by name, and its second the inputs, one row per token. llama.cpp's own llama-imatrix
(tools/imatrix) works so. The struct is read through ctypes, in the layout of ggml.h in llama-cpp-python 0.3.36.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from ctypes import c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from studio.conversion.imatrix.matrix import Activations
from studio.errors import ConversionError

_OBJECT_BYTES = 32
"""Of `struct ggml_object`, which `ggml_tensor_overhead` counts besides the tensor."""
_OPERATIONS = 200
_F32 = 0
_LAYERS = "blk."
"""Weights of the layers are called so; llama.cpp makes no use of a matrix for the embedding and the output layer."""


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("type", c_int), ("buffer", c_void_p), ("ne", c_int64 * 4), ("nb", c_size_t * 4), ("op", c_int),
        ("op_params", c_int32 * 16), ("flags", c_int32), ("src", c_void_p * 10), ("view_src", c_void_p),
        ("view_offs", c_size_t), ("data", c_void_p), ("name", c_char * 64), ("extra", c_void_p),
        ("padding", c_char * 8),
    )  # fmt: skip


class ActivationSession:
    """A model that sums the squared inputs of its weight matrices over all that it reads. Use it as a context manager.

    Args:
        last: the weight matrix after which nothing is computed any more; the output layer would only cost time.
        context: tokens of the longest text.
        part: tokens that are computed together; memory grows with it times the vocabulary.

    Raises:
        ConversionError: llama.cpp cannot load the file, or lays its tensors out in another way.
    """

    def __init__(self, path: Path, last: str, *, context: int, part: int, threads: int) -> None:
        import llama_cpp

        self._collector = _Collector(_library(), last)
        self._callback = llama_cpp.ggml_backend_sched_eval_callback(self._collector)
        self._part = min(part, context)
        self._model = _loaded(path)
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = context, self._part, self._part
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.type_k = parameters.type_v = llama_cpp.GGML_TYPE_F32
        parameters.cb_eval = self._callback
        self._context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not self._context:
            llama_cpp.llama_model_free(self._model)
            raise _not_loaded(path)
        self._batch = llama_cpp.llama_batch_init(self._part, 0, 1)

    def __enter__(self) -> ActivationSession:
        return self

    def __exit__(self, *_: object) -> None:
        import llama_cpp

        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)

    @property
    def activations(self) -> Mapping[str, Activations]:
        """What went into each weight matrix so far, by its name."""
        return {
            name: Activations(sums.astype(np.float32), np.array([self._collector.counts[name]], np.float32))
            for name, sums in self._collector.sums.items()
        }

    def read(self, tokens: Sequence[int]) -> Iterator[int]:
        """Read one text from an empty context, part by part; nothing is written.

        Yields:
            The tokens of each part, when it is done.

        Raises:
            ConversionError: llama.cpp could not compute it.
        """
        import llama_cpp

        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        for start in range(0, len(tokens), self._part):
            part = tokens[start : start + self._part]
            self._compute(part, start)
            yield len(part)

    def _compute(self, tokens: Sequence[int], start: int) -> None:
        import llama_cpp

        batch = self._batch
        batch.n_tokens = len(tokens)
        for index, token in enumerate(tokens):
            batch.token[index], batch.pos[index] = token, start + index
            batch.n_seq_id[index], batch.seq_id[index][0] = 1, 0
            batch.logits[index] = 1  # else the last layer would compute the last token alone
        status = llama_cpp.llama_decode(self._context, batch)
        if status or self._collector.error:
            raise ConversionError(
                "llama.cpp could not read this text.",
                why=str(self._collector.error or f"llama_decode returned {status}."),
                next_step="Close other programs to free memory, then try again.",
            ) from self._collector.error


class _Collector:
    """The callback: says which steps matter, and adds up their inputs."""

    def __init__(self, ggml: Any, last: str) -> None:
        self._ggml, self._last = ggml, last
        names = (ggml.ggml_op_name(number) for number in range(_OPERATIONS))
        self._product = next(number for number, name in enumerate(names) if name == b"MUL_MAT")
        self.sums: dict[str, npt.NDArray[np.float64]] = {}
        self.counts: dict[str, int] = {}
        self.error: Exception | None = None

    def __call__(self, address: int, ask: bool, _user: object) -> bool:
        """Before a step, whether it matters; after it, whether to go on with the rest."""
        try:
            return self._answer(_Tensor.from_address(address), ask)
        except Exception as error:  # noqa: BLE001 - it cannot pass through C; `read` raises it
            self.error = error
            return False

    def _answer(self, step: _Tensor, ask: bool) -> bool:
        if ask:
            return step.op == self._product and _name(step.src[0]).startswith(_LAYERS)
        name = _name(step.src[0])
        self._add(name, step.src[1])
        return name != self._last

    def _add(self, name: str, address: int) -> None:
        inputs = self._values(address)
        squares = np.einsum("tc,tc->c", inputs, inputs).astype(np.float64)
        known = self.sums.get(name)
        self.sums[name] = squares if known is None else known + squares
        self.counts[name] = self.counts.get(name, 0) + len(inputs)

    def _values(self, address: int) -> npt.NDArray[np.float32]:
        """The inputs, `[tokens, columns]`, copied from wherever llama.cpp keeps them."""
        tensor = _Tensor.from_address(address)
        if tensor.type != _F32:
            raise ConversionError(f"The inputs {_name(address)!r} are not of type F32.")
        raw = np.empty(self._ggml.ggml_nbytes(address), np.uint8)
        self._ggml.ggml_backend_tensor_get(address, raw.ctypes.data, 0, raw.nbytes)
        shaped = np.ndarray(tuple(tensor.ne)[::-1], np.float32, raw, strides=tuple(tensor.nb)[::-1])
        return shaped.reshape(-1, tensor.ne[0])


def _name(address: int) -> str:
    """A tensor's name; what was copied for another device is called 'DEVICE#NAME#COPY'."""
    parts = _Tensor.from_address(address).name.decode("utf-8", "replace").split("#")
    return str(parts[1] if len(parts) > 1 else parts[0])


def _loaded(path: Path) -> Any:
    import llama_cpp

    llama_cpp.llama_log_set(_SILENT, None)
    llama_cpp.llama_backend_init()
    parameters = llama_cpp.llama_model_default_params()
    parameters.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(os.fspath(path).encode(), parameters)
    if not model:
        raise _not_loaded(path)
    return model


def _not_loaded(path: Path) -> ConversionError:
    return ConversionError(
        "llama.cpp cannot load this file.",
        why="It is damaged, of a kind that this llama.cpp does not know, or larger than the free memory.",
        next_step="Validate it with `inspect`.",
        where=path.name,
    )


@cache
def _library() -> Any:
    """The functions of ggml for tensors, after a check that its tensors are laid out as `_Tensor` is."""
    import llama_cpp
    from llama_cpp._ctypes_extensions import load_shared_library

    ggml = load_shared_library("ggml-base", Path(llama_cpp.__file__).parent / "lib")
    for name, result, arguments in (
        ("ggml_op_name", c_char_p, (c_int,)),
        ("ggml_nbytes", c_size_t, (c_void_p,)),
        ("ggml_tensor_overhead", c_size_t, ()),
        ("ggml_backend_tensor_get", None, (c_void_p, c_void_p, c_size_t, c_size_t)),
    ):
        function = getattr(ggml, name)
        function.restype, function.argtypes = result, arguments
    if ggml.ggml_tensor_overhead() != _OBJECT_BYTES + ctypes.sizeof(_Tensor):
        raise ConversionError(
            "An importance matrix cannot be made with this build of llama.cpp.",
            why="It lays its tensors out in another way than llama-cpp-python 0.3.36 does.",
            next_step="Install the pinned version, or choose a type that needs no importance matrix.",
        )
    return ggml


_SILENT = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)(lambda _level, _text, _user: None)
