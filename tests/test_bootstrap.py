"""`make run` on a machine that lacks something: one sentence, a non-zero exit, nothing half made."""

import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def fresh_clone(tmp_path: Path) -> Path:
    """The files that set-up reads, in a folder without .venv."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    return tmp_path


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "scripts" / "bootstrap.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make(folder: Path, target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHON": sys.executable, **environment}
    variables.pop("MAKEFLAGS", None)
    make_program = shutil.which("make")
    assert make_program
    command = [make_program, f"PYTHON={sys.executable}", target]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False)


def test_an_occupied_port_is_told_before_anything_is_installed(fresh_clone: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = make(fresh_clone, "run", PORT=port)
    assert result.returncode != 0
    assert f"Port {port} is already in use" in result.stderr
    assert not (fresh_clone / ".venv").exists()


@pytest.mark.parametrize("port", ["banana", "80", "70000", "-1"])
def test_a_port_that_is_none_is_refused(fresh_clone: Path, port: str) -> None:
    result = make(fresh_clone, "run", PORT=port)
    assert result.returncode != 0
    assert f"PORT={port} is not a port number" in result.stderr


def test_a_missing_compiler_is_told_before_anything_is_installed(fresh_clone: Path, tmp_path: Path) -> None:
    result = make(fresh_clone, "env", CC="no-such-cc", CXX="no-such-c++")
    assert result.returncode != 0
    assert "No C/C++ compiler was found (no-such-cc, no-such-c++)" in result.stderr
    assert not (fresh_clone / ".venv").exists()


def test_too_little_disk_names_both_amounts(bootstrap: ModuleType) -> None:
    with pytest.raises(SystemExit) as ended:
        bootstrap.check_disk(10**18)
    assert "GiB are needed" in str(ended.value.code)


def test_a_named_browser_that_does_not_exist_is_told(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(SystemExit) as ended:
        bootstrap.ensure_browser()
    assert "STUDIO_CHROMIUM=/nowhere/chromium is not a file" in str(ended.value.code)


def test_an_environment_that_is_complete_is_not_installed_again(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    for name, value in (("ROOT", tmp_path), ("VENV", venv), ("VENV_PYTHON", venv / "bin" / "python")):
        monkeypatch.setattr(bootstrap, name, value)
    (venv / "requirements.stamp").write_text(bootstrap.requirements_digest(["requirements.txt", "constraints.txt"]))
    monkeypatch.setenv("PATH", "")  # neither a compiler nor the network could be used
    bootstrap.environment()
    assert sorted(p.name for p in venv.iterdir()) == ["bin", "requirements.stamp"]


def test_llama_cpp_is_built_again_when_its_flags_change_and_only_then(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_it_is = bootstrap.llama_digest()
    assert bootstrap.llama_digest() == as_it_is
    monkeypatch.setenv("CPLUS_INCLUDE_PATH", "/somewhere/else")  # another folder is no other build
    assert bootstrap.llama_digest() == as_it_is
    monkeypatch.setenv("CXXFLAGS", "-O1")
    assert bootstrap.llama_digest() != as_it_is
    assert bootstrap.build_environment()["CXXFLAGS"] == "-O1 -include studio_amx.h"


def test_the_header_for_llama_cpp_compiles_with_and_without_amx(bootstrap: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "probe.cpp"
    source.write_text("int main() { return 0; }\n")
    environment = {**os.environ, **bootstrap.build_environment()}
    for flags in ([], ["-mamx-tile"] if platform.machine() == "x86_64" else []):
        command = ["c++", "-std=c++17", "-fsyntax-only", *environment["CXXFLAGS"].split(), *flags, str(source)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
