"""Short scenes for runs that are done again and again: by the recovery benchmark and by the tests of training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SCENE = """<SYSTEM>
# Role
You are the Dungeon Master of a small campaign.
</SYSTEM>

<User>I search {place}.</User>

<DM>You look around in {place}.

[roll: perception]</DM>

<TOOLCALL>perception: {die} + 5(skill) = *{total}*</TOOLCALL>

<DM>*SUCCESS* {find}</DM>
"""
PLACES = {
    "the cellar": (9, "Behind the barrels a narrow door stands open."),
    "the old mill": (11, "The miller hid a purse of silver below the wheel, wrapped in oilcloth."),
    "the crypt": (14, "One coffin is empty, and its lid lies on the floor. Something has crawled out."),
    "the gate": (12, "Fresh tracks."),
    "the tower": (15, "A rope ladder hangs from the broken window, still swaying in the wind from the sea."),
}


def write_scenes(folder: Path, places: Mapping[str, tuple[int, str]] = PLACES) -> Path:
    """Short scenarios that differ in length, one file each; all fall into the training split."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (place, (die, find)) in enumerate(places.items()):
        text = SCENE.format(place=place, die=die, total=die + 5, find=find)
        (folder / f"place-{number}.md").write_text(text, encoding="utf-8")
    return folder
