"""The party at the table as HTML: who has how many hit points, what ails them, and whose turn comes when.

Nothing that a person or a model wrote is markup. Colours are left to the style sheet (`play_party.css`).
"""

from __future__ import annotations

from html import escape

from studio.scenarios.game import Game, Standing

_ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}
_LOW = 1 / 3
"""Share of the hit points from which on a bar is red."""


def game_html(game: Game) -> str:
    """The order of combat, if there is one, and a card for each of the party."""
    order = _order(game) if game.in_combat else ""
    return f'<div class="party">{order}{"".join(_card(one) for one in game.party)}</div>'


def game_sentence(game: Game) -> str:
    """Who is hurt and whether there is combat, for a folded panel."""
    hurt = [one.name for one in game.party if one.hit_points is not None and one.hit_points != one.max_hit_points]
    fight = "In combat" if game.in_combat else "No combat"
    return f"{fight} · hurt: {', '.join(hurt)}" if hurt else f"{fight} · nobody is hurt"


def _order(game: Game) -> str:
    places = "".join(f"<li>{escape(one.name)} <b>{one.total}</b></li>" for one in game.initiative)
    told = f"<ol>{places}</ol>" if places else "<p>Nobody has rolled initiative yet.</p>"
    return f'<div class="fight"><h4>Combat</h4>{told}</div>'


def _card(one: Standing) -> str:
    conditions = [*(["down"] if one.is_down else []), *one.conditions]
    marks = "".join(f'<span class="mark">{escape(name)}</span>' for name in conditions)
    parts = [_health(one), f"<div>{marks}</div>" if marks else "", _numbers(one), _items(one)]
    return f'<div class="member"><div class="name">{escape(one.name)}</div>{"".join(parts)}</div>'


def _health(one: Standing) -> str:
    if one.hit_points is None:
        return ""
    most = one.max_hit_points or one.hit_points or 1
    share = min(1.0, one.hit_points / most)
    low = " low" if share <= _LOW else ""
    label = f"{one.hit_points}/{most} hit points"
    bar = f'<div class="bar{low}" role="img" aria-label="{label}"><span style="width:{share:.0%}"></span></div>'
    return f'<div class="health">{bar}<span>{one.hit_points}/{most}</span></div>'


def _numbers(one: Standing) -> str:
    told = [
        f"{_ORDINALS.get(level, f'{level}th')} slots {one.slots.get(level, 0)}/{most}"
        for level, most in sorted(one.max_slots.items())
    ]
    if one.experience is not None:
        told.append(f"{one.experience:,}{f'/{one.next_level:,}' if one.next_level else ''} XP")
    return f'<div class="small">{" · ".join(told)}</div>' if told else ""


def _items(one: Standing) -> str:
    if not one.items:
        return ""
    named = ", ".join(escape(item.shown) for item in one.items)
    return f'<details class="small"><summary>Inventory ({len(one.items)})</summary>{named}</details>'
