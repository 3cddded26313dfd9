"""The fields of a character's form: drawn on four tabs, filled from rows, and read back as rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import streamlit as st

from studio.scenarios import ABILITIES, Character, Vocabulary
from studio.scenarios.library.party_start import experience_of
from studio.ui.party import (
    KINDS,
    AttackRow,
    SheetRows,
    StatRow,
    spell_choices,
    spell_label,
    spoken,
    stat_choices,
    stat_hint,
    with_stats,
)
from studio.ui.wording import plain

TABS = ("Sheet", "Skills", "Attacks", "Belongings")
_TEXTS = {"name": "name", "class_name": "class", "inventory": "inventory", "spell_slots": "slots"}
_NUMBERS = {
    "level": "level", "armor_class": "armor", "initiative": "initiative", "health_now": "health",
    "health_max": "health_max", "experience": "experience", "next_level": "next_level", "spell_save_dc": "dc",
}  # fmt: skip
_LARGEST = 9_999_999
"""What a sheet can hold: seven digits; three for bonuses and levels."""
_BONUS = 999
_KEPT: dict[str, Any] = {"on_change": "ignore", "persist_state": "page"}


def put_rows(form: dict[str, Any], rows: SheetRows) -> None:
    """Fill the form. Call it before the fields are drawn; `form` remembers which skills and how many attacks."""
    state = st.session_state
    form["typed"] = rows
    for name, key in (_TEXTS | _NUMBERS).items():
        state[f"party_{key}"] = getattr(rows, name)
    state["party_kind"], state["party_spells"] = rows.kind or None, list(rows.spells)
    for ability, modifier in zip(ABILITIES, rows.abilities, strict=True):
        state[f"party_{ability}"] = modifier
    form["stats"] = [one.key for one in rows.stats]
    for place, stat in enumerate(rows.stats):
        state[f"party_stat_{place}"] = stat.bonus
    attacks = rows.attacks or (AttackRow(),)
    form["attacks"] = len(attacks)
    for place, attack in enumerate(attacks):
        _put_attack(place, attack)
    state["party_more_stats"] = None


def typed_rows(form: dict[str, Any], origin: Character) -> SheetRows:
    """What stands in the form."""
    state = st.session_state
    texts: dict[str, Any] = {name: state.get(f"party_{key}") or "" for name, key in _TEXTS.items()}
    numbers: dict[str, Any] = {name: state.get(f"party_{key}") for name, key in _NUMBERS.items()}
    attacks = [_typed_attack(place) for place in range(form["attacks"])]
    return SheetRows(
        **texts,
        **numbers,
        kind=state.get("party_kind") or "",
        abilities=tuple(state.get(f"party_{one}") for one in ABILITIES),
        stats=tuple(StatRow(key, state.get(f"party_stat_{place}")) for place, key in enumerate(form["stats"])),
        attacks=tuple(one for one in attacks if one != AttackRow()),
        spells=tuple(state.get("party_spells") or ()),
        origin=origin,
    )


def draw_rows(form: dict[str, Any], origin: Character, vocabulary: Vocabulary) -> None:
    """The fields, on four tabs. Changing the tab sends what was typed, so that the hints fit."""
    rows = typed_rows(form, origin)
    sheet, skills, attacks, belongings = st.tabs(TABS, key="party_tab", on_change="rerun")
    with sheet:
        _sheet()
    with skills:
        _skills(form, rows, vocabulary)
    with attacks:
        _attacks(form)
    with belongings:
        _belongings(rows)


def _sheet() -> None:
    st.text_input("Name", key="party_name", **_KEPT)
    who, what = st.columns(2)
    with who:
        current = st.session_state.get("party_kind")
        kinds = [*KINDS, *([current] if current and current not in KINDS else [])]
        st.selectbox(
            "Who plays", kinds, index=None, key="party_kind", accept_new_options=True, placeholder="Not said", **_KEPT
        )
    with what:
        st.text_input("Class", key="party_class", placeholder="Dwarf Fighter", **_KEPT)
    now, most, armor, initiative = st.columns(4)
    with now:
        _number("Hit points", "health", _LARGEST)
    with most:
        _number("of", "health_max", _LARGEST)
    with armor:
        _number("Armor class", "armor", _LARGEST)
    with initiative:
        _number("Initiative", "initiative", _BONUS)
    level, experience, next_level, fill = st.columns(4, vertical_alignment="bottom")
    with level:
        _number("Level", "level", _BONUS, least=0)
    with experience:
        _number("Experience", "experience", _LARGEST)
    with next_level:
        _number("Next level", "next_level", _LARGEST)
    with fill:
        st.button(
            "By level",
            key="party_fill",
            type="tertiary",
            icon=":material/auto_fix_high:",
            on_click=_fill_experience,
            help="Fill in the experience that belongs to the level",
        )
    st.caption("Ability modifiers")
    for place, column in enumerate(st.columns(6)):
        with column:
            _number(ABILITIES[place][:3].capitalize(), ABILITIES[place], _BONUS)


def _skills(form: dict[str, Any], rows: SheetRows, vocabulary: Vocabulary) -> None:
    st.selectbox(
        "Add a skill or save", stat_choices(rows, vocabulary), index=None, key="party_more_stats",
        accept_new_options=True, placeholder="Choose, or write your own", on_change=_add_stat, args=(form, vocabulary),
        help="Empty a bonus to take its skill off the sheet.",
    )  # fmt: skip
    if not rows.stats:
        st.caption("No skills or saves yet. Without them a roll takes the ability's modifier.")
    for start in range(0, len(rows.stats), 2):
        for place, column in enumerate(st.columns(2), start):
            if place < len(rows.stats):
                with column:
                    key = rows.stats[place].key
                    _number(plain(spoken(key)[:40]), f"stat_{place}", _BONUS)
                    known = "no ability modifier on the sheet" if key in vocabulary.by_name else "homebrew"
                    st.caption(stat_hint(key, rows, vocabulary) or known)


def _attacks(form: dict[str, Any]) -> None:
    for place in range(form["attacks"]):
        name, bonus, damage = st.columns([5, 3, 4])
        shown: Literal["visible", "collapsed"] = "visible" if place == 0 else "collapsed"
        with name:
            st.text_input(
                "Attack", key=f"party_attack_{place}", label_visibility=shown, placeholder="Shortsword", **_KEPT
            )
        with bonus:
            _number("Bonus", f"attack_bonus_{place}", _BONUS, label_visibility=shown)
        with damage:
            st.text_input(
                "Damage", key=f"party_attack_damage_{place}", label_visibility=shown, placeholder="1d6+3", **_KEPT
            )
    st.button(
        "One more attack",
        key="party_more_attacks",
        type="tertiary",
        icon=":material/add:",
        on_click=_add_attack,
        args=(form,),
    )
    st.caption("A row whose fields are all empty is left out.")


def _belongings(rows: SheetRows) -> None:
    st.text_area(
        "Inventory", key="party_inventory", height=150, placeholder="One item a line", help="One item a line.", **_KEPT
    )
    st.multiselect(
        "Spells", spell_choices(rows.class_name, rows.level), key="party_spells", accept_new_options=True,
        format_func=spell_label, select_all=False, placeholder="Choose, or write your own", **_KEPT,
    )  # fmt: skip
    difficulty, slots = st.columns([2, 5])
    with difficulty:
        _number("Spell save DC", "dc", _LARGEST)
    with slots:
        st.text_input("Spell slots", key="party_slots", placeholder="1st x4, 2nd x2", **_KEPT)


def _number(label: str, key: str, most: int, *, least: int | None = None, **look: Any) -> None:
    st.number_input(label, -most if least is None else least, most, None, 1, key=f"party_{key}", **look, **_KEPT)


def _fill_experience() -> None:
    """The experience of the level: what the next one needs, and its beginning unless the character is within it."""
    state = st.session_state
    span = experience_of(int(state.get("party_level") or 0))
    if span.current is None:
        return
    now, end = state.get("party_experience"), span.next_level
    if now is None or not span.current <= now < (end or now + 1):
        state["party_experience"] = span.current
    state["party_next_level"] = end


def _add_stat(form: dict[str, Any], vocabulary: Vocabulary) -> None:
    """The chosen skill gets a field of its own, filled with the bonus of a proficient character."""
    chosen = st.session_state.get("party_more_stats")
    rows = typed_rows(form, Character(name=""))
    more = with_stats(rows, [chosen] if chosen else [], vocabulary)
    put_rows(form, replace(more, attacks=tuple(_typed_attack(place) for place in range(form["attacks"]))))


def _add_attack(form: dict[str, Any]) -> None:
    _put_attack(form["attacks"], AttackRow())
    form["attacks"] += 1


def _put_attack(place: int, attack: AttackRow) -> None:
    state = st.session_state
    state[f"party_attack_{place}"], state[f"party_attack_damage_{place}"] = attack.name, attack.damage
    state[f"party_attack_bonus_{place}"] = attack.bonus


def _typed_attack(place: int) -> AttackRow:
    state = st.session_state
    return AttackRow(
        state.get(f"party_attack_{place}") or "",
        state.get(f"party_attack_bonus_{place}"),
        state.get(f"party_attack_damage_{place}") or "",
    )
