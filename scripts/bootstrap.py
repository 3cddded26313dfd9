"""Set up the studio from a fresh clone, and start it: `make run`, `make test`.

Runs on the system's Python with the standard library alone. Every step is skipped when its result is already there, so
a second start needs no network. Anything missing is told in one sentence, with a non-zero exit status.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
GIB = 2**30
DISK_FOR_ENVIRONMENT = 8 * GIB  # torch with its GPU libraries is most of it
DISK_FOR_START = GIB // 4
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The runtime needs no image models; without them llama.cpp builds in two thirds of the time.
CMAKE_ARGS = "-DLLAVA_BUILD=OFF"
HEADER = Path("scripts") / "llama_build" / "studio_amx.h"


def fail(sentence):
    """End with a sentence a person can act on."""
    sys.exit(f"make: {sentence}")


def check_python():
    """The project is tested on Python 3.11 and newer minor versions have other wheels."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file must tell an older Python what is wrong
        version = ".".join(map(str, sys.version_info[:3]))
        fail(f"Python 3.11 or newer is needed, this is {version}. Choose another with `make run PYTHON=python3.11`.")


def check_compiler():
    """llama-cpp-python is built from source once."""
    compilers = (os.environ.get("CC") or "cc", os.environ.get("CXX") or "c++")
    missing = [name for name in compilers if shutil.which(name.split()[0]) is None]
    if missing:
        fail(
            f"No C/C++ compiler was found ({', '.join(missing)}), and llama.cpp is built from source once. "
            "Install one (Debian or Ubuntu: `sudo apt-get install build-essential`) and run the command again."
        )


def check_disk(needed):
    """Too little disk fails late and confusingly, so it is checked before anything is written."""
    free = shutil.disk_usage(ROOT).free
    if free < needed:
        fail(
            f"Only {free / GIB:.1f} GiB of disk are free here and {needed / GIB:.1f} GiB are needed. "
            "Free some space and run the command again."
        )


def chosen_port():
    """The port from PORT, proven to be free on the loopback address."""
    text = os.environ.get("PORT") or "8501"
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        fail(f"PORT={text} is not a port number from 1024 to 65535. Try `PORT=8600 make run`.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError:
            fail(
                f"Port {text} is already in use, perhaps by a studio that is still open. "
                f"Close it or choose another port: `PORT={int(text) + 99} make run`."
            )
    return text


def call(arguments, failure, **environment):
    """Run a command with its output shown; end with `failure` if it does."""
    try:
        status = subprocess.call([str(a) for a in arguments], cwd=ROOT, env={**os.environ, **environment})
    except KeyboardInterrupt:
        sys.exit(130)
    if status:
        fail(failure)


def llama_requirement():
    """The line of requirements.txt that names llama-cpp-python."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith("llama-cpp-python=="))


def build_environment():
    """How llama.cpp is compiled. The header mends a fault of GCC on processors with AMX.

    Its folder is in a variable of the compiler: a flag with a space in it would fall apart.
    """
    folders = [str((ROOT / HEADER).parent), os.environ.get("CPLUS_INCLUDE_PATH")]
    return {
        "CMAKE_ARGS": os.environ.get("CMAKE_ARGS", CMAKE_ARGS),
        "CXXFLAGS": f"{os.environ.get('CXXFLAGS', '')} -include {HEADER.name}".strip(),
        "CPLUS_INCLUDE_PATH": os.pathsep.join(filter(None, folders)),
    }


def llama_digest():
    """What the build of llama.cpp was made from."""
    flags = {name: value for name, value in build_environment().items() if name != "CPLUS_INCLUDE_PATH"}
    parts = [sys.version, llama_requirement(), repr(sorted(flags.items())), (ROOT / HEADER).read_text()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def requirements_digest(files):
    """What the environment was made from; the stamp holds it once every install succeeded."""
    digest = hashlib.sha256(llama_digest().encode())
    for name in files:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def pip_install(arguments, **environment):
    """Install into .venv."""
    call(
        [VENV_PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-c", "constraints.txt", *arguments],
        "The dependencies could not be installed; the lines above say why. If the network was lost, run the command "
        "again: it continues where it stopped.",
        **environment,
    )


def install_llama():
    """Build llama.cpp for this machine, unless that is done.

    A build that lies in pip's cache is not taken: it may be of another processor, or made without our flags.
    """
    stamp = VENV / "llama.stamp"
    if stamp.exists() and stamp.read_text() == llama_digest():
        return
    print("Building llama.cpp, once; this takes 3 to 10 minutes ...", flush=True)
    pip_install(["--no-cache-dir", "--no-deps", "--force-reinstall", llama_requirement()], **build_environment())
    stamp.write_text(llama_digest())


def install(files, stamp_name):
    """Create .venv if needed and install the pinned files into it, unless that is already done."""
    digest = requirements_digest(files)
    stamp = VENV / stamp_name
    if stamp.exists() and stamp.read_text() == digest and VENV_PYTHON.exists():
        return
    check_python()
    if not (VENV / "llama.stamp").exists():
        check_compiler()
        check_disk(DISK_FOR_ENVIRONMENT)
    if not VENV_PYTHON.exists():
        print("Creating .venv ...", flush=True)
        call(
            [sys.executable, "-m", "venv", "--clear", VENV],
            "The virtual environment could not be created. On Debian or Ubuntu install the package python3-venv.",
        )
    install_llama()
    print("Installing the pinned dependencies ...", flush=True)
    pip_install([part for name in files if name != "constraints.txt" for part in ("-r", name)])
    stamp.write_text(digest)


def environment():
    """.venv for running the studio."""
    install(["requirements.txt", "constraints.txt"], "requirements.stamp")


def setup():
    """The environment, and the embedded base model imported."""
    environment()
    call(
        [VENV_PYTHON, "-m", "studio", "setup"], "The base model could not be prepared; the lines above say what to do."
    )


def test_environment():
    """What `make run` needs, plus test tools and a browser."""
    setup()
    install(["requirements.txt", "requirements-dev.txt", "constraints.txt"], "requirements-dev.stamp")
    ensure_browser()


def ensure_browser():
    """A Chromium for the end-to-end tests: the one named, the system's, or Debian's package if we may install it."""
    chosen = os.environ.get("STUDIO_CHROMIUM")
    if chosen and not Path(chosen).is_file():
        fail(f"STUDIO_CHROMIUM={chosen} is not a file. Set it to the path of a Chromium or Chrome program.")
    if chosen or any(shutil.which(name) for name in BROWSERS):
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing Chromium for the browser tests ...", flush=True)
        subprocess.call(["apt-get", "-qq", "update"])
        subprocess.call(
            ["apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium", "fonts-noto-color-emoji"]
        )
    if not any(shutil.which(name) for name in BROWSERS):
        fail(
            "The browser tests need Chromium or Chrome and none was found. Install it (Debian: `sudo apt-get install "
            "chromium`) or set STUDIO_CHROMIUM to its path."
        )


def run():
    """Set up and open the studio; ends when the studio ends."""
    port = chosen_port()
    check_disk(DISK_FOR_START)
    setup()
    print(f"The studio opens on http://127.0.0.1:{port} (Ctrl+C ends it).", flush=True)
    command = [VENV_PYTHON, "-m", "streamlit", "run", "app.py", "--server.port", port, "--server.address", "127.0.0.1"]
    os.chdir(ROOT)
    os.execv(VENV_PYTHON, [str(part) for part in command])  # noqa: S606 - Ctrl+C then reaches Streamlit itself


ACTIONS = {"env": environment, "setup": setup, "test-env": test_environment, "run": run}


def main():
    """Dispatch; one set-up at a time per checkout."""
    if len(sys.argv) != 2 or sys.argv[1] not in ACTIONS:
        sys.exit(f"usage: bootstrap.py {{{','.join(ACTIONS)}}}")
    with (ROOT / ".bootstrap.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("Another set-up is at work in this folder; waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        ACTIONS[sys.argv[1]]()


if __name__ == "__main__":
    main()
