"""The reference run behind docs/transcripts/: Quick preset, conversion, one script and seed with tuned and base model.

`make reference` takes about a quarter of an hour on two cores. It works in .studio/reference/ with the scenarios of
this checkout, through the commands that the README shows, and fails when the pair of transcripts would not show what
it is there to show.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKSPACE = ROOT / ".studio" / "reference"
TRANSCRIPTS = ROOT / "docs" / "transcripts"
SCENARIO = ROOT / "data" / "scenarios" / "combat" / "tavern-brawl.md"
BASE = "smollm2-135m-instruct"
RUN = "reference"
SEED = "7"


def studio(*arguments: str) -> str:
    """Run a command of the studio in the reference workspace; what it printed."""
    command = [sys.executable, "-m", "studio", "--workspace", str(WORKSPACE), *arguments]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        sys.exit(f"`studio {' '.join(arguments)}` ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


def timed(what: str, *arguments: str) -> str:
    started = time.monotonic()
    printed = studio(*arguments)
    print(f"{what}: {time.monotonic() - started:.0f} s", flush=True)
    return printed


def prepare() -> None:
    """A fresh workspace with the shipped scenarios; the base model is linked from the checkout."""
    shutil.rmtree(WORKSPACE, ignore_errors=True)
    for folder in ("scenarios", "validation"):
        shutil.copytree(ROOT / "data" / folder, WORKSPACE / "data" / folder)
    base = WORKSPACE / "models" / "base" / BASE
    shutil.copytree(ROOT / "models" / "base" / BASE, base, copy_function=_link)


def play(model: str, page: Path) -> int:
    """Play the script; the number of rolls that the model asked for in a form that the engine understands."""
    printed = timed(
        f"play {model}", "chat", model, "--scenario", str(SCENARIO), "--script", str(TRANSCRIPTS / "script.txt"),
        "--seed", SEED, "--out", str(page), "--json",
    )  # fmt: skip
    return sum(len(turn["rolls"]) for turn in json.loads(printed)["turns"])


def main() -> None:
    prepare()
    timed("train", "train", "--preset", "quick", "--name", RUN)
    timed("convert", "convert", RUN)
    tuned = play(RUN, TRANSCRIPTS / "tuned.md")
    base = play(BASE, TRANSCRIPTS / "base.md")
    print(f"Rolls asked for: {tuned} by the tuned model, {base} by the base model.")
    if not tuned or base:
        sys.exit("The pair does not show what it should: the tuned model asks for rolls and the base model does not.")


def _link(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:  # another file system
        shutil.copy2(source, target)


if __name__ == "__main__":
    main()
