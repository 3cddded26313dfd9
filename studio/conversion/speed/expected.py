"""How fast a model will write in a quantization type that nobody has made yet, on this machine: an estimate.

For each token that a model writes, every matrix is read and multiplied with one vector. So the time of a token is the
bytes of each tensor type times what this processor takes for a byte of it, and a rest that is the same for all types
(attention, norms, waiting for each other). The first is measured with matrices of the model's own shapes
(`matrix_speed`), the rest is what a real file takes beyond that. Both by a job of less than a minute, once per machine
and base model. docs/conversion.md compares estimates with measured speeds. No llama.cpp in this module.

Not covered: other programs at work, heat, and contexts much longer than `BEHIND` tokens, which all slow it down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from gguf.constants import GGML_QUANT_SIZES
from gguf.constants import GGMLQuantizationType as Kind
from pydantic import BaseModel, Field, ValidationError

from studio.conversion.families import GGUF_EMBEDDING, GGUF_OUTPUT
from studio.conversion.formats.gguf_header import GGUFHeader, TensorInfo
from studio.conversion.quantization.types import TYPES, quantization_type, tensor_kinds
from studio.jobs import Job, launch
from studio.machine import look
from studio.workspace import Workspace, safe_name

BEHIND = 128
"""Tokens of the conversation before the ones that are timed."""
WORKING_SET = 64 << 20
"""Bytes of matrices that are timed together: more than caches hold, as those of a whole model are."""
PATIENCE_SECONDS = 5.0
SPEED_FILE = "decoding.json"
KIND = "measure-decoding"
_TARGET = "studio.conversion.speed.worker:main"


class DecodingPace(BaseModel):
    """What one machine takes for a token of one base model.

    Attributes:
        seconds_per_byte: of weights, by the name of the tensor type.
        rest_seconds: of a token, beside its matrices.
        measured: tokens per second of the file that the rest was found with.
    """

    processor: str
    cores: int = Field(description="That the measurement ran on; a player takes as many threads.")
    seconds_per_byte: dict[str, float]
    rest_seconds: float
    measured: float


class SpeedOrder(BaseModel):
    """What the measuring job is asked to do: time this file, and the types that its matrices can have.

    Attributes:
        working_set: bytes of matrices of each type; what fits into caches is told too fast.
        patience: seconds for each type, and four times as many for the file, on a machine that has other work.
    """

    workspace: Path
    gguf: Path
    working_set: int = WORKING_SET
    patience: float = PATIENCE_SECONDS


def known_pace(workspace: Workspace, base: str) -> DecodingPace | None:
    """What was measured for a base model on this very machine; None while nothing was."""
    try:
        found = DecodingPace.model_validate_json((speed_folder(workspace, base) / SPEED_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    here = look(workspace)
    return found if (found.processor, found.cores) == (here.processor, here.cores) else None


def expected_tokens_per_second(
    pace: DecodingPace, header: GGUFHeader, type_name: str, *, imatrix: bool = False
) -> float | None:
    """Tokens per second that a model will write in a type; None where a tensor type was not measured.

    Args:
        imatrix: it will be made with an importance matrix, which changes the type of a few tensors.

    Raises:
        ConversionError: there is no such type.
    """
    chosen = quantization_type(type_name)
    return _speed(pace, bytes_per_token(header, tensor_kinds(header, chosen, imatrix=imatrix)))


def speed_of_file(pace: DecodingPace, header: GGUFHeader) -> float | None:
    """The same for a file as it is."""
    known = {one.name: Kind(one.kind) for one in header.tensors if one.is_known}
    return _speed(pace, bytes_per_token(header, known))


def bytes_per_token(header: GGUFHeader, kinds: Mapping[str, Kind]) -> dict[Kind, int]:
    """Bytes of weights that are read for one token, by tensor type. `kinds`: the type of each tensor by its name."""
    found: dict[Kind, int] = {}
    for tensor in multiplied(header):
        kind = kinds.get(tensor.name, Kind(tensor.kind))
        block, size = GGML_QUANT_SIZES[kind]
        found[kind] = found.get(kind, 0) + tensor.elements // block * size
    return found


def multiplied(header: GGUFHeader) -> Iterator[TensorInfo]:
    """The matrices that a token goes through. Of an embedding that is not the output layer too, one row is read."""
    tied = all(one.name != GGUF_OUTPUT for one in header.tensors)
    for one in header.tensors:
        if len(one.shape) == 2 and one.shape[1] > 1 and (tied or one.name != GGUF_EMBEDDING):
            yield one


def possible_kinds(header: GGUFHeader) -> list[Kind]:
    """The tensor types that the matrices get in any type of file, with an importance matrix and without."""
    names = {one.name for one in multiplied(header)}
    found = {
        kind
        for chosen in TYPES.values()
        for imatrix in (False, True)
        for name, kind in tensor_kinds(header, chosen, imatrix=imatrix).items()
        if name in names
    }
    return sorted(found)


def speed_folder(workspace: Workspace, base: str) -> Path:
    """The job's folder of the measurement for a base model."""
    return workspace.inside(workspace.state_dir / "pace", f"decoding-{safe_name(base)}")


def start_speed_measurement(
    workspace: Workspace, base: str, gguf: Path, *, working_set: int = WORKING_SET, patience: float = PATIENCE_SECONDS
) -> Job:
    """Measure this machine for a base model, in a process of its own; less than a minute when it is idle.

    Args:
        gguf: any playable file of that base: its own, or one that was made of a run.

        working_set, patience: as in `SpeedOrder`.

    Raises:
        JobError: it is being measured already, or the process cannot be started.
    """
    order = SpeedOrder(workspace=workspace.root, gguf=gguf.resolve(), working_set=working_set, patience=patience)
    return launch(speed_folder(workspace, base), _TARGET, order, kind=KIND, title=f"Measure this computer with {base}")


def _speed(pace: DecodingPace, needed: Mapping[Kind, int]) -> float | None:
    if any(kind.name not in pace.seconds_per_byte for kind in needed):
        return None
    seconds = sum(pace.seconds_per_byte[kind.name] * count for kind, count in needed.items()) + pace.rest_seconds
    return 1 / seconds if seconds > 0 else None
