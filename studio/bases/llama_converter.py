"""llama.cpp's own converter from a Hugging Face folder to GGUF, taken from the source that the runtime was built from.

The source distribution is found by pip with the user's own configuration and refused unless its SHA-256 is the pinned
one; only the converter's Python files are kept, outside of any workspace, and compared with their own SHA-256 before
each use. Models are converted in another process, from a folder that holds no code.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from studio.bases.progress import ImportProgress, ProgressCallback
from studio.bases.wheels import check_digest
from studio.errors import BaseModelError
from studio.workspace import PROJECT_ROOT, sha256_file

PACKAGE, VERSION = "llama-cpp-python", "0.3.36"
SDIST_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
TREE_SHA256 = "26da852b2f9e8c23c91cc00b3600828bc44569c8c8c8ca09ae53b92ed75504a4"
FOLDER = PROJECT_ROOT / ".studio" / "llama.cpp"
MAX_FILE_BYTES = 4 << 20
_INSIDE = f"llama_cpp_python-{VERSION}/vendor/llama.cpp/"
_WANTED = re.compile(r"LICENSE|convert_hf_to_gguf\.py|(?:conversion|gguf-py/gguf)/[A-Za-z_0-9]+\.py")
_POLL_SECONDS = 0.2
_EXCEPTION = re.compile(r"[\w.]*(?:Error|Exception|Interrupt)\b")


def converter_folder(report: ProgressCallback) -> Path:
    """The folder with convert_hf_to_gguf.py, `conversion/`, `gguf-py/`; fetched (77 MB) unless it is there unchanged.

    Raises:
        BaseModelError: it cannot be fetched, or it is not what the studio was made for.
    """
    folder = FOLDER / VERSION
    FOLDER.mkdir(parents=True, exist_ok=True)
    with FileLock(FOLDER / f".{VERSION}.lock"):
        if tree_digest(folder) != TREE_SHA256:
            _renew(folder, report)
    return folder


def unpack_converter(sdist: Path, folder: Path) -> None:
    """Take the converter's files out of the source distribution and check both.

    Raises:
        BaseModelError: the archive or what is in it has another checksum, or it cannot be read.
    """
    check_digest(sha256_file(sdist), SDIST_SHA256, sdist.name)
    try:
        with tarfile.open(sdist) as archive:
            for member in archive:
                name = member.name.removeprefix(_INSIDE)
                if member.isreg() and name != member.name and _WANTED.fullmatch(name):
                    _take(archive, member, folder / name)
    except (OSError, tarfile.TarError, zlib.error, EOFError) as error:
        raise BaseModelError("The package cannot be unpacked.", why=str(error), where=sdist.name) from error
    check_digest(tree_digest(folder), TREE_SHA256, "llama.cpp's converter")


def tree_digest(folder: Path) -> str:
    """SHA-256 over names and contents of the files below `folder`, compiled ones aside; of nothing without any."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def convert_folder(hf: Path, target: Path, name: str, report: ProgressCallback) -> None:
    """Write the training form in `hf` as a float16 GGUF file, whole or not at all.

    Args:
        name: what the file calls itself.
        report: asked several times a second; what it raises ends the conversion.

    Raises:
        BaseModelError: the converter cannot be fetched, does not know the model or its tokenizer, or failed.
    """
    converter = converter_folder(report)
    partial = target.with_name(f".{target.name}.part")
    command = [sys.executable, "-m", "studio.bases.convert_worker", converter, hf, partial, name]
    try:
        _run([str(part) for part in command], lambda: report(ImportProgress("convert", target.name)))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _run(command: list[str], alive: Callable[[], None]) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=PROJECT_ROOT,
            env={**environment, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TQDM_DISABLE": "1"},
        )  # fmt: skip
        try:
            while not _ended(process):
                alive()
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            log.seek(0)
            raise _failure(log.read(), process.returncode)


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _failure(log: str, status: int) -> BaseModelError:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    told = next((line for line in reversed(lines) if _EXCEPTION.match(line)), lines[-1] if lines else "")
    return BaseModelError(
        "llama.cpp's converter could not make a GGUF file of this model.",
        why=f"{told[:400].rstrip('.')}." if told else f"It ended with status {status} and said nothing.",
        next_step="Check the free space; else import the folder without a GGUF file, or a GGUF file of the same model.",
    )


def _renew(folder: Path, report: ProgressCallback) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as name:
        report(ImportProgress("download", f"{PACKAGE}=={VERSION}"))
        unpack_converter(_fetch(Path(name)), Path(name) / "converter")
        (Path(name) / "converter").rename(folder)


def _fetch(folder: Path) -> Path:
    """The source distribution; pip refuses one with another hash before anything in it is looked at."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SDIST_SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", f"--no-binary={PACKAGE}", "--require-hashes"]
    done = subprocess.run(
        [*command, "--no-input", "--quiet", "--dest", str(folder), "-r", str(wanted)],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    sdist = next(iter(folder.glob("*.tar.gz")), None)
    if done.returncode or sdist is None:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise BaseModelError(
            "llama.cpp's converter could not be downloaded.",
            why=lines[-1] if lines else "pip gave no reason.",
            next_step="Check the network and start again, or import the folder without a GGUF file.",
            where=f"{PACKAGE}=={VERSION}",
        )
    return sdist


def _take(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    stream = archive.extractfile(member)
    if stream is None or member.size > MAX_FILE_BYTES:
        raise BaseModelError(f"{target.name} in the package is no small file.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(stream.read())
