"""The measurement behind expected speeds: ggml takes every type in every layout, and its job leaves a sound record."""

from __future__ import annotations

import subprocess
import sys

import pytest
from gguf.constants import GGMLQuantizationType as Kind

from studio.bases import BaseModel
from studio.conversion.formats.gguf_header import read_header
from studio.conversion.speed.expected import (
    WORKING_SET,
    bytes_per_token,
    known_pace,
    possible_kinds,
    speed_folder,
    speed_of_file,
    start_speed_measurement,
)
from studio.conversion.speed.matrices import Matrix
from studio.conversion.speed.worker import matrices
from studio.jobs import Job
from studio.workspace import PROJECT_ROOT, Workspace
from tests.conversion.conftest import Bench

TYPES_THAT_FALL_BACK = "tiny-llama"


def test_the_bytes_of_a_token_are_those_of_the_matrices_it_goes_through(smollm2: BaseModel) -> None:
    assert smollm2.gguf
    tied = read_header(smollm2.gguf)
    kinds = {one.name: Kind(one.kind) for one in tied.tensors}
    assert sum(bytes_per_token(tied, kinds).values()) == sum(
        one.size or 0 for one in tied.tensors if len(one.shape) == 2
    )


def test_the_working_set_is_full_of_the_models_own_shapes(smollm2: BaseModel) -> None:
    assert smollm2.gguf
    header = read_header(smollm2.gguf)
    shapes = {Matrix(*one.shape) for one in header.tensors if len(one.shape) == 2}
    for kind, block, size in ((Kind.Q8_0, 32, 34), (Kind.Q4_K, 256, 144)):
        chosen = matrices(header, kind, WORKING_SET)
        filled = sum(one.width * one.rows // block * size for one in chosen)
        assert set(chosen) <= shapes
        assert all(one.width % block == 0 for one in chosen)
        assert WORKING_SET <= filled < WORKING_SET + (49_152 * 576 // block * size)


def test_every_type_is_multiplied_in_the_layout_that_llama_cpp_would_choose() -> None:
    """In a process of its own: a wrong call of ggml would end this one."""
    program = (
        "from gguf.constants import GGMLQuantizationType as Kind\n"
        "from studio.conversion.speed.matrices import Matrix, MatrixBench\n"
        "kinds = [one for one in Kind if one.name[0] in 'FQBT' or one.name.startswith('IQ')]\n"
        "usable = [one for one in kinds if one.name not in ('F64', 'Q8_1', 'Q8_K', 'MXFP4', 'NVFP4', 'Q1_0')]\n"
        "with MatrixBench(2) as bench:\n"
        "    for kind in usable:\n"
        "        print(kind.name, bench.seconds(kind, [Matrix(512, 64), Matrix(256, 24)]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    found = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}
    assert {"F16", "Q8_0", "Q4_0", "Q4_K", "IQ4_NL", "IQ2_XXS", "IQ1_S", "TQ1_0"} <= found.keys()
    assert all(seconds > 0 for seconds in found.values())


@pytest.mark.slow
def test_the_job_leaves_the_pace_of_this_machine_and_a_stop_leaves_nothing(bench: Bench) -> None:
    workspace, gguf = bench.workspace, bench.merged(TYPES_THAT_FALL_BACK)
    header = read_header(gguf)
    stopped = start_speed_measurement(workspace, "stopped", gguf)
    stopped.stop()
    assert stopped.wait(100).status == "stopped"
    assert known_pace(workspace, "stopped") is None
    state = start_speed_measurement(workspace, "tiny", gguf, working_set=1 << 20, patience=0.05).wait(200)
    assert (state.status, state.error) == ("done", None)
    pace = known_pace(workspace, "tiny")
    assert pace is not None
    assert pace.seconds_per_byte.keys() == {one.name for one in possible_kinds(header)}
    assert all(0 < one < 1 for one in pace.seconds_per_byte.values())
    told = speed_of_file(pace, header)
    assert told is not None
    assert told <= pace.measured * 1.000001  # the rest makes up what the matrices do not explain, and is never negative
    assert Job(speed_folder(workspace, "tiny")).state().result["measured"] == pace.measured


def test_the_pace_of_another_machine_is_not_taken(empty_workspace: Workspace) -> None:
    folder = speed_folder(empty_workspace, "any")
    folder.mkdir(parents=True)
    (folder / "decoding.json").write_text(
        '{"processor": "another", "cores": 99, "seconds_per_byte": {"F16": 1e-10}, "rest_seconds": 0, "measured": 1}'
    )
    assert known_pace(empty_workspace, "any") is None
