"""Limits of a model host, put on real processes."""

from __future__ import annotations

import os
import subprocess
import sys

from studio.play import HostLimits, can_limit
from studio.workspace import PROJECT_ROOT

_START = """
import argparse, os, sys
from studio.play.hosts.limits import add_arguments, limits_of, peak_memory_bytes
parser = argparse.ArgumentParser()
add_arguments(parser)
limits = limits_of(parser.parse_args(sys.argv[1:]))
limits.begin()
limits.hold_memory()
print(limits)
"""
MB = 10**6


def run(limits: HostLimits, program: str) -> list[str]:
    """What a process under the limits printed, after the limits themselves."""
    command = [sys.executable, "-c", _START + program, *limits.arguments()]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    first, *others = done.stdout.splitlines()
    assert first == str(limits)
    return others


def taking(*sizes: int) -> str:
    """A program that asks for so many bytes and gives them back, one after the other."""
    return f"""
for size in {sizes!r}:
    try:
        print(len(bytearray(size)))
    except MemoryError:
        print("refused")
"""


def test_limits_can_be_set_here() -> None:
    assert can_limit() == sys.platform.startswith("linux")


def test_memory_beyond_the_limit_is_refused_and_the_process_stays_on_its_cores() -> None:
    program = taking(50 * MB, 400 * MB, 250 * MB) + "print(len(os.sched_getaffinity(0)))"
    said = run(HostLimits(memory_bytes=300 * MB, cores=1), program)
    assert said == [str(50 * MB), "refused", str(250 * MB), "1"]


def test_without_limits_there_are_none_and_the_peak_is_that_of_the_process_itself() -> None:
    mine = bytearray(os.urandom(1024)) * (300 * 1024)  # 300 MB that the process which starts the other one holds
    program = "print(len(os.sched_getaffinity(0)), peak_memory_bytes())" + taking(400 * MB)
    program += "kept = b'x' * 400_000_000; del kept; print(peak_memory_bytes())"
    first, given, last = run(HostLimits(cores=10_000), program)
    cores, peak = map(int, first.split())
    assert len(mine) > 300 * MB
    assert cores == len(os.sched_getaffinity(0))
    assert 5 * MB < peak < 200 * MB
    assert given == str(400 * MB)
    assert int(last) > 400 * MB
