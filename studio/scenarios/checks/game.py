"""The R checks of the sheets against the tables of the SRD. Homebrew is legal, so none is an error."""

from __future__ import annotations

from studio.scenarios.checks import game_codes as codes
from studio.scenarios.checks.game_changes import check_changes
from studio.scenarios.checks.report import Edit, Report, suggest
from studio.scenarios.models import Character
from studio.scenarios.sheet import Bullet, Sheet, split_list
from studio.scenarios.srd import Srd, fold, load_srd

_ITEMS = 300
"""Items or spells of one sheet that are looked up; nobody carries more."""


def check_game(report: Report) -> None:
    """Every R code."""
    reading = report.reading
    if not reading.sheets and not any(turn.directives for turn in reading.turns):
        return
    srd = load_srd()
    for sheet in reading.sheets:
        _check_progress(report, sheet, srd)
        _check_health(report, sheet, srd)
        _check_magic(report, sheet, srd)
        _check_inventory(report, sheet, srd)
        _check_stats(report, sheet)
    check_changes(report, srd)


def _check_progress(report: Report, sheet: Sheet, srd: Srd) -> None:
    one, experience = sheet.character, sheet.bullet("experience")
    level_bullet = next(
        (b for b in sheet.bullets if b.value.lower().startswith(("level", "lvl"))), sheet.bullet("level")
    )
    if one.level is None:
        return
    if not 1 <= one.level <= 20:
        if level_bullet:
            report.add(
                codes.BAD_LEVEL,
                level_bullet.start,
                level_bullet.end,
                f"{one.name} has level {one.level}; the tables of the game go from 1 to 20. Change the level.",
            )
        return
    _check_class(report, sheet, srd)
    if experience is None:
        return
    begins, next_level = srd.experience[one.level], srd.experience.get(one.level + 1)
    if next_level and one.experience.next_level not in (None, next_level):
        at = experience.value_start + experience.value.rfind("/") + 1
        while report.reading.text[at : at + 1] == " ":
            at += 1
        fix = suggest(f"Change to {next_level}", at, experience.end, str(next_level))
        said = f"Level {one.level + 1} begins at {next_level} experience points, not {one.experience.next_level}."
        report.add(codes.NEXT_LEVEL, experience.start, experience.end, said, fix)
    current = one.experience.current
    if current is not None and not begins <= current < (next_level or current + 1):
        span = f"level {one.level} goes from {begins} to {next_level or 'any number'}"
        said = f"{one.name} has {current} experience points; {span}. Change one of the two."
        report.add(codes.LEVEL_EXPERIENCE, experience.start, experience.end, said)


def _check_class(report: Report, sheet: Sheet, srd: Srd) -> None:
    written = sheet.character.class_name
    if not written or srd.class_of(written):
        return
    last = written.split()[-1]
    guess = report.guess(last, srd.classes, 80)
    bullet = next((one for one in sheet.bullets if one.value == written), None)
    if guess and guess != last.lower() and bullet:
        fix = _rename(report, bullet, last, guess.capitalize())
        report.add(
            codes.UNKNOWN_CLASS,
            bullet.start,
            bullet.end,
            f"{last} is no class of the SRD. Did you mean {guess.capitalize()}?",
            fix,
        )


def _check_health(report: Report, sheet: Sheet, srd: Srd) -> None:
    one, bullet = sheet.character, sheet.bullet("health")
    if bullet is None or one.health.current is None or one.health.max is None:
        return
    current, most = one.health.current, one.health.max
    if not 0 <= current <= most:
        fixed = f"{max(0, min(current, most))}/{most}"
        fix = suggest(f"Change to {fixed}", bullet.value_start, bullet.end, fixed)
        report.add(
            codes.HEALTH_RANGE,
            bullet.start,
            bullet.end,
            f"{one.name} has {current} of {most} hit points: the first number lies between 0 and the second.",
            fix,
        )
    die = srd.hit_dice.get(srd.class_of(one.class_name) or "")
    if die and one.level and 1 <= one.level <= 20 and most > (die + 7) * one.level:
        limit = f"{(die + 7) * one.level} at level {one.level}"
        said = f"{most} hit points are more than a class with a d{die} can have ({limit}). Check both numbers."
        report.add(codes.HEALTH_TOO_HIGH, bullet.start, bullet.end, said)


def _check_magic(report: Report, sheet: Sheet, srd: Srd) -> None:
    one = sheet.character
    known_class = srd.class_of(one.class_name)
    for bullet in sheet.bullets:
        if bullet.field == "spells":
            for name in split_list(bullet.value)[:_ITEMS]:
                _check_spell(report, bullet, name, one, known_class, srd)
    if known_class is None or one.level is None or known_class not in srd.slots:
        return
    slots, allowed = sheet.bullet("spell_slots"), srd.slots[known_class].get(one.level)
    if slots is None or allowed is None:
        return
    for level, count in one.spell_slots.items():
        if count > allowed.get(level, 0):
            said = (
                f"A {known_class} of level {one.level} has {allowed.get(level, 0)} slots of level {level}, not {count}."
            )
            report.add(codes.TOO_MANY_SLOTS, slots.start, slots.end, said)


def _check_spell(report: Report, bullet: Bullet, name: str, one: Character, known_class: str | None, srd: Srd) -> None:
    start, end = _find(report, bullet, name)
    spell = srd.spells.get(fold(name))
    if spell is None:
        guess = report.guess(fold(name), srd.spells, folded=True)
        right = srd.spells[guess].name if guess else None
        said = f"The SRD does not have the spell {name[:60]}." + (f" Did you mean {right}?" if right else "")
        report.add(codes.UNKNOWN_SPELL, start, end, said, _rename(report, bullet, name, right))
        return
    if known_class is None or one.level is None or not 1 <= one.level <= 20:
        return
    if spell.level > srd.highest_spell(known_class, one.level) and srd.slots.get(known_class):
        whose = f"a {known_class} of level {one.level}"
        said = (
            f"{spell.name} needs a spell slot of level {spell.level}, which {whose} does not have. "
            "Raise the level or choose another spell."
        )
        report.add(codes.SPELL_TOO_HIGH, start, end, said)
    elif known_class not in spell.classes:
        report.add(
            codes.OTHER_CLASS_SPELL,
            start,
            end,
            f"{spell.name} is not on the spell list of the {known_class}. Fine with a feat or a second class.",
        )


def _check_inventory(report: Report, sheet: Sheet, srd: Srd) -> None:
    bullet = sheet.bullet("inventory")
    for name in split_list(bullet.value)[:_ITEMS] if bullet else ():
        folded = fold(name)
        if bullet is None or len(folded) < 4 or folded in srd.items:
            continue
        guess = srd.nearest_item(folded)
        if guess and not _is_plural(folded, guess):
            start, end = _find(report, bullet, name)
            right = srd.items[guess]
            said = f"The SRD does not have {name[:60]}. Did you mean {right}?"
            report.add(codes.UNKNOWN_ITEM, start, end, said, _rename(report, bullet, name, right))


def _is_plural(one: str, other: str) -> bool:
    return one.rstrip("s") == other.rstrip("s") or one.replace(" ", "") == other.replace(" ", "")


def _check_stats(report: Report, sheet: Sheet) -> None:
    one = sheet.character
    if one.level is None or not 1 <= one.level <= 20:
        return
    most = 5 + 2 * (2 + (one.level - 1) // 4)
    for name, bonus in one.stats.items():
        bullet = sheet.bullet("skills", "abilities", "saves", "initiative")
        if bonus > most and bullet is not None:
            said = f"{name.replace('_', ' ')} {bonus:+d} is more than {most:+d}, the most at level {one.level}."
            report.add(codes.BONUS_TOO_HIGH, bullet.start, bullet.end, said)


def _find(report: Report, bullet: Bullet, name: str) -> tuple[int, int]:
    at = report.reading.text.find(name, bullet.value_start, bullet.end)
    return (at, at + len(name)) if at >= 0 else (bullet.start, bullet.end)


def _rename(report: Report, bullet: Bullet, wrong: str, right: str | None) -> Edit | None:
    start, end = _find(report, bullet, wrong)
    return suggest(f"Change to {right}", start, end, right) if right else None
