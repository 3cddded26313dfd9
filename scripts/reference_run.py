"""The reference run behind docs/transcripts/ and docs/report/: Quick preset, conversion, a script, a report card.

`make reference` takes about half an hour on two cores. It works in .studio/reference/ with the scenarios of this
checkout, through the commands that the README shows, and fails when the pair of transcripts would not show what it is
there to show. `make reference ONLY=report` evaluates the run that is there and rewrites docs/report/ alone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from studio.bases.disk import link_or_copy  # noqa: E402
from studio.conversion.places import gguf_folder, merged_path  # noqa: E402
from studio.validation import ReportCard  # noqa: E402
from studio.validation.html import report_html  # noqa: E402
from studio.workspace import Workspace, atomic_write  # noqa: E402

WORKSPACE = ROOT / ".studio" / "reference"
TRANSCRIPTS = ROOT / "docs" / "transcripts"
REPORT = ROOT / "docs" / "report"
SCENARIO = ROOT / "data" / "scenarios" / "combat" / "tavern-brawl.md"
BASE = "smollm2-135m-instruct"
RUN = "reference"
SEED = "7"


def studio(*arguments: str, accepted: tuple[int, ...] = (0,)) -> str:
    """Run a command of the studio in the reference workspace; what it printed."""
    command = [sys.executable, "-m", "studio", "--workspace", str(WORKSPACE), *arguments]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode not in accepted:
        sys.exit(f"`studio {' '.join(arguments)}` ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


def timed(what: str, *arguments: str, accepted: tuple[int, ...] = (0,)) -> str:
    started = time.monotonic()
    printed = studio(*arguments, accepted=accepted)
    print(f"{what}: {time.monotonic() - started:.0f} s", flush=True)
    return printed


def prepare() -> None:
    """A fresh workspace with the shipped scenarios; the base model is linked from the checkout."""
    shutil.rmtree(WORKSPACE, ignore_errors=True)
    for folder in ("scenarios", "validation"):
        shutil.copytree(ROOT / "data" / folder, WORKSPACE / "data" / folder)
    base = WORKSPACE / "models" / "base" / BASE
    shutil.copytree(ROOT / "models" / "base" / BASE, base, copy_function=link_or_copy)


def play(model: str, page: Path) -> int:
    """Play the script; the number of rolls that the model asked for in a form that the engine understands."""
    printed = timed(
        f"play {model}", "chat", model, "--scenario", str(SCENARIO), "--script", str(TRANSCRIPTS / "script.txt"),
        "--seed", SEED, "--out", str(page), "--json",
    )  # fmt: skip
    return sum(len(turn["rolls"]) for turn in json.loads(printed)["turns"])


def report() -> None:
    """The report card of every file of the run against its base model; being worse is no reason to hide it."""
    printed = timed("evaluate", "evaluate", *_files(), "--baseline", BASE, "--json", accepted=(0, 1))
    card = ReportCard.model_validate_json(printed)
    pages = {"reference.json": card.model_dump_json(), "reference.html": report_html(card, interactive=False)}
    for name, text in pages.items():
        if str(ROOT) in text:
            sys.exit(f"{name} would name a folder of this computer.")
        atomic_write(REPORT / name, text)
    shares = [f"{one.model.label} {one.summary.figures['turn_right'].value:.0%}" for one in card.models]
    print(f"Turns that are right: {', '.join(shares)}.")


def make_run() -> None:
    """Train, convert and play, from a fresh workspace on."""
    prepare()
    timed("train", "train", "--preset", "quick", "--name", RUN)
    timed("convert", "convert", RUN)
    tuned = play(RUN, TRANSCRIPTS / "tuned.md")
    base = play(BASE, TRANSCRIPTS / "base.md")
    print(f"Rolls asked for: {tuned} by the tuned model, {base} by the base model.")
    if not tuned or base:
        sys.exit("The pair does not show what it should: the tuned model asks for rolls and the base model does not.")


def main() -> None:
    if sys.argv[1:] != ["report"]:
        make_run()
    report()


def _files() -> list[str]:
    """The run's GGUF files, the unquantized one first."""
    workspace = Workspace(WORKSPACE)
    merged = merged_path(workspace, RUN)
    found = sorted(gguf_folder(workspace, RUN).glob("*.gguf"), key=lambda path: (path != merged, path.name))
    return [str(path) for path in found]


if __name__ == "__main__":
    main()
