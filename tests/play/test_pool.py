"""Which files stay loaded: by number, by memory, and never at the cost of a reply."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from studio.bases import BaseModel
from studio.errors import PlayError
from studio.play import HostOptions, HostPool, ModelHost, Sampling, Token
from studio.play.hosts.pool import memory_of

OPTIONS = HostOptions(threads=1, context_tokens=256)
LONG = Sampling(max_tokens=400)


@pytest.fixture
def paths(smollm2: BaseModel, tmp_path: Path) -> list[Path]:
    """Three names of one file."""
    found = [tmp_path / f"{number}.gguf" for number in range(3)]
    for path in found:
        path.hardlink_to(smollm2.directory / "base.gguf")
    return found


def states(pool: HostPool) -> dict[str, str]:
    return {one.name: one.state for one in pool.loaded()}


def test_the_pool_keeps_hosts_and_ends_the_least_recently_used(paths: list[Path]) -> None:
    with HostPool(limit=2) as pool:
        first, second = (pool.get(path, OPTIONS) for path in paths[:2])
        processes = [psutil.Process(host.info().process_id) for host in (first, second)]
        assert pool.get(paths[0], OPTIONS) is first
        third = pool.get(paths[2], OPTIONS)
        assert states(pool) == {"0.gguf": "ready", "1.gguf": "ready"}  # nothing is ended before it must be
        third.info()
        assert states(pool) == {"2.gguf": "ready", "0.gguf": "ready"}
    gone, _ = psutil.wait_procs(processes, timeout=60)
    assert len(gone) == 2


def test_what_a_file_needs_is_known_before_it_is_loaded_and_measured_after(paths: list[Path]) -> None:
    with HostPool(memory_limit_bytes=10**9) as pool:
        host = pool.get(paths[0], OPTIONS)
        need = memory_of(host)
        info = host.info()
        (shown,) = pool.loaded()
        assert paths[0].stat().st_size < need < 4 * paths[0].stat().st_size
        assert 0.5 * need < shown.memory_bytes < 1.5 * need
        assert shown.sha256 == info.sha256


def test_within_the_memory_budget_the_least_recently_used_idle_file_makes_room(paths: list[Path]) -> None:
    need = memory_of(ModelHost(paths[0], OPTIONS))
    with HostPool(limit=9, memory_limit_bytes=int(2.4 * need)) as pool:
        for path in (*paths[:2], paths[0], paths[2]):
            pool.get(path, OPTIONS).info()
        assert states(pool) == {"2.gguf": "ready", "0.gguf": "ready"}


def test_a_file_that_never_fits_is_refused_and_ends_nothing(paths: list[Path]) -> None:
    need = memory_of(ModelHost(paths[0], OPTIONS))
    large = HostOptions(threads=1, context_tokens=8192)
    with HostPool(limit=9, memory_limit_bytes=int(1.2 * need)) as pool:
        pool.get(paths[0], OPTIONS).info()
        with pytest.raises(PlayError) as caught:
            pool.get(paths[1], large).info()
        assert caught.value.where == "1.gguf"
        assert caught.value.why
        assert caught.value.next_step
        assert states(pool) == {"0.gguf": "ready"}


def test_a_host_in_the_middle_of_a_reply_is_never_ended_for_another_file(paths: list[Path]) -> None:
    need = memory_of(ModelHost(paths[0], OPTIONS))
    with HostPool(limit=1, memory_limit_bytes=int(2.4 * need)) as pool:
        idle, speaking = (pool.get(path, OPTIONS) for path in paths[:2])
        process = speaking.info().process_id
        tokens = iter(speaking.generate("Once upon a time", LONG))
        assert any(isinstance(event, Token) for event in tokens)
        idle.info()  # more than the limit, since the other one speaks
        assert states(pool) == {"1.gguf": "replying", "0.gguf": "ready"}
        third = pool.get(paths[2], HostOptions(threads=1, context_tokens=512))
        third.info()
        assert states(pool) == {"2.gguf": "ready", "1.gguf": "replying"}
        with pytest.raises(PlayError) as caught:
            pool.get(paths[0], HostOptions(threads=1, context_tokens=8192)).info()
        assert caught.value.next_step
        assert states(pool) == {"2.gguf": "ready", "1.gguf": "replying"}
        assert speaking.info().process_id == process
        assert any(isinstance(event, Token) for event in tokens)
        tokens.close()  # type: ignore[attr-defined]
        third.info()


def test_a_host_that_was_ended_for_another_loads_its_file_again_within_the_budget(paths: list[Path]) -> None:
    with HostPool(limit=1) as pool:
        first = pool.get(paths[0], OPTIONS)
        first.info()
        pool.get(paths[1], OPTIONS).info()
        assert first.tokenize("Once")
        assert states(pool) == {"0.gguf": "ready"}
