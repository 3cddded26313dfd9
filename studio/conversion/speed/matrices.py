"""How fast this processor multiplies with weights of each type, by ggml itself. For worker processes only.

While a model writes, almost all its time goes into products of one vector with each of its matrices. So matrices of a
real model's shapes are filled, laid out as llama.cpp would (the processor at hand wants some types in another order),
and multiplied with a vector. What they hold does not matter for the time.

ggml is called through ctypes; function and struct layouts are those of ggml.h and ggml-backend.h in llama-cpp-python
0.3.36.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from contextlib import ExitStack
from ctypes import c_bool, c_char_p, c_int, c_int64, c_size_t, c_uint8, c_void_p
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from gguf.constants import GGMLQuantizationType as Kind

from studio.errors import ConversionError

_BUFFER_OFFSET = 8
"""Of `buffer` in `struct ggml_tensor`: behind the type, which takes four bytes, and four that align."""
_MANY_TOKENS = 512
"""llama.cpp asks with a batch of so many tokens whether a layout suits a matrix (src/llama-model-loader.cpp)."""
_CPU_DEVICE = 0
_FILL = 0x3C
"""A byte that is an ordinary number in every type (0x3c3c is 1.06 as float16): nothing infinite, nothing denormal."""
_NODES = 16
_QUIET_ROUNDS, _LITTLE = 3, 0.02


class Matrix(NamedTuple):
    """Row width and number of rows."""

    width: int
    rows: int


class MatrixBench:
    """Times the products of vectors with matrices on so many threads. Use it as a context manager.

    Args:
        patience: seconds after which a machine that never comes to rest is taken as it is.

    Raises:
        ConversionError: this build of llama.cpp has no ggml that can be called so.
    """

    def __init__(self, threads: int, patience: float = 5.0) -> None:
        self._patience = patience
        self._ggml = _library()
        self._device = self._ggml.ggml_backend_dev_by_type(_CPU_DEVICE)
        self._backend = self._ggml.ggml_backend_cpu_init()
        self._ggml.ggml_backend_cpu_set_n_threads(self._backend, threads)
        self._layouts = [
            *_extra_layouts(self._ggml, self._device),
            self._ggml.ggml_backend_dev_buffer_type(self._device),
        ]

    def __enter__(self) -> MatrixBench:
        return self

    def __exit__(self, *_: object) -> None:
        self._ggml.ggml_backend_free(self._backend)

    def seconds(self, kind: Kind, matrices: Sequence[Matrix]) -> float:
        """The time of multiplying each of them once with a vector of its width: of each its shortest, together.

        The shortest of several rounds, because whatever else is at work on the machine only ever adds to it. A round
        goes through all matrices, so that each is read from where a whole model would be read from.

        Args:
            kind: every width must be a multiple of its block.
        """
        with ExitStack() as held:
            weights = [self._weights(held, kind, one) for one in matrices]
            work = self._context(held, 2 * len(weights), graphs=len(weights))
            graphs = [self._graph(work, tensor, one) for tensor, one in zip(weights, matrices, strict=True)]
            buffer = self._ggml.ggml_backend_alloc_ctx_tensors(work, self._backend)
            held.callback(self._ggml.ggml_backend_buffer_free, buffer)
            self._ggml.ggml_backend_buffer_clear(buffer, _FILL)
            return self._shortest(graphs)

    def _graph(self, work: int, tensor: int, matrix: Matrix) -> int:
        vector = self._ggml.ggml_new_tensor_2d(work, Kind.F32, matrix.width, 1)
        graph: int = self._ggml.ggml_new_graph_custom(work, _NODES, False)
        self._ggml.ggml_build_forward_expand(graph, self._ggml.ggml_mul_mat(work, tensor, vector))
        return graph

    def _shortest(self, graphs: Sequence[int]) -> float:
        """The shortest times together, when some rounds in turn have made them no shorter. The first only warms up."""
        self._round(graphs)
        best, begun, quiet = self._round(graphs), time.perf_counter(), 0
        while quiet < _QUIET_ROUNDS and time.perf_counter() - begun < self._patience:
            shorter = list(map(min, best, self._round(graphs)))
            quiet = quiet + 1 if sum(best) - sum(shorter) < _LITTLE * sum(best) else 0
            best = shorter
        return sum(best)

    def _round(self, graphs: Sequence[int]) -> list[float]:
        clock, compute = time.perf_counter, self._ggml.ggml_backend_graph_compute
        times = [clock()]
        for graph in graphs:
            compute(self._backend, graph)
            times.append(clock())
        return [after - before for before, after in pairwise(times)]

    def _weights(self, held: ExitStack, kind: Kind, matrix: Matrix) -> int:
        """A filled matrix in the layout that llama.cpp would choose for it."""
        layout = next(one for one in self._layouts if self._suits(one, kind, matrix))
        context = self._context(held, 1)
        tensor: int = self._ggml.ggml_new_tensor_2d(context, kind, matrix.width, matrix.rows)
        buffer = self._ggml.ggml_backend_alloc_ctx_tensors_from_buft(context, layout)
        held.callback(self._ggml.ggml_backend_buffer_free, buffer)
        size = self._ggml.ggml_nbytes(tensor)
        self._ggml.ggml_backend_tensor_set(tensor, _filled(size), 0, size)
        return tensor

    def _suits(self, layout: int, kind: Kind, matrix: Matrix) -> bool:
        with ExitStack() as held:
            context = self._context(held, 3)
            tensor = self._ggml.ggml_new_tensor_2d(context, kind, matrix.width, matrix.rows)
            batch = self._ggml.ggml_new_tensor_2d(context, Kind.F32, matrix.width, _MANY_TOKENS)
            product = self._ggml.ggml_mul_mat(context, tensor, batch)
            empty = self._ggml.ggml_backend_buft_alloc_buffer(layout, 0)
            held.callback(self._ggml.ggml_backend_buffer_free, empty)
            c_void_p.from_address(tensor + _BUFFER_OFFSET).value = empty
            return bool(self._ggml.ggml_backend_dev_supports_op(self._device, product))

    def _context(self, held: ExitStack, tensors: int, *, graphs: int = 0) -> int:
        size = (tensors + 1) * self._ggml.ggml_tensor_overhead()
        size += graphs * self._ggml.ggml_graph_overhead_custom(_NODES, False)
        context: int = self._ggml.ggml_init(_InitParams(size, None, True))
        held.callback(self._ggml.ggml_free, context)
        return context


class _InitParams(ctypes.Structure):
    _fields_ = (("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool))


def _filled(size: int) -> Any:
    data = (c_uint8 * size)()
    ctypes.memset(data, _FILL, size)
    return data


_SILENT = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)(lambda _level, _text, _data: None)
_P, _N = c_void_p, c_int64
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ggml_init": (_P, (_InitParams,)), "ggml_free": (None, (_P,)),
    "ggml_new_tensor_2d": (_P, (_P, c_int, _N, _N)), "ggml_mul_mat": (_P, (_P, _P, _P)),
    "ggml_new_graph_custom": (_P, (_P, c_size_t, c_bool)), "ggml_build_forward_expand": (None, (_P, _P)),
    "ggml_graph_overhead_custom": (c_size_t, (c_size_t, c_bool)), "ggml_tensor_overhead": (c_size_t, ()),
    "ggml_nbytes": (c_size_t, (_P,)), "ggml_backend_tensor_set": (None, (_P, _P, c_size_t, c_size_t)),
    "ggml_backend_alloc_ctx_tensors": (_P, (_P, _P)), "ggml_backend_alloc_ctx_tensors_from_buft": (_P, (_P, _P)),
    "ggml_backend_buft_alloc_buffer": (_P, (_P, c_size_t)), "ggml_backend_buffer_free": (None, (_P,)),
    "ggml_backend_buffer_clear": (None, (_P, c_uint8)), "ggml_backend_graph_compute": (c_int, (_P, _P)),
    "ggml_backend_free": (None, (_P,)), "ggml_backend_cpu_init": (_P, ()),
    "ggml_backend_cpu_set_n_threads": (None, (_P, c_int)), "ggml_backend_dev_by_type": (_P, (c_int,)),
    "ggml_backend_dev_buffer_type": (_P, (_P,)), "ggml_backend_dev_supports_op": (c_bool, (_P, _P)),
    "ggml_backend_dev_backend_reg": (_P, (_P,)), "ggml_backend_reg_get_proc_address": (_P, (_P, c_char_p)),
}  # fmt: skip


class _Ggml:
    """The functions of `_SIGNATURES`, wherever in ggml's libraries they are."""

    def __init__(self, libraries: Sequence[ctypes.CDLL]) -> None:
        for name, (result, arguments) in _SIGNATURES.items():
            function = next(getattr(one, name) for one in libraries if hasattr(one, name))
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


@cache
def _library() -> _Ggml:
    import llama_cpp
    from llama_cpp._ctypes_extensions import load_shared_library

    llama_cpp.llama_log_set(_SILENT, None)  # it has a word for every matrix
    folder = Path(llama_cpp.__file__).parent / "lib"
    try:
        return _Ggml([load_shared_library(name, folder) for name in ("ggml-base", "ggml-cpu", "ggml")])
    except (OSError, StopIteration, RuntimeError) as error:
        raise ConversionError(
            "How fast this computer is cannot be measured with this build of llama.cpp.",
            why=f"Its ggml library cannot be called: {error or 'a function is missing'}.",
            next_step="Make a file and measure it instead.",
        ) from error


def _extra_layouts(ggml: _Ggml, device: int) -> list[int]:
    """Layouts of weights beside the plain one, in the order in which llama.cpp tries them."""
    registry = ggml.ggml_backend_dev_backend_reg(device)
    address = ggml.ggml_backend_reg_get_proc_address(registry, b"ggml_backend_dev_get_extra_bufts")
    if not address:
        return []
    listed = ctypes.CFUNCTYPE(ctypes.POINTER(c_void_p), c_void_p)(address)(device)
    found: list[int] = []
    while listed and listed[len(found)]:
        found.append(listed[len(found)])
    return found
