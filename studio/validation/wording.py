"""What reports call each figure, and what it means in a Dungeon Master's words; docs/validation.md has them all."""

from __future__ import annotations

from dataclasses import dataclass

from studio.metrics import Figure, Interval


@dataclass(frozen=True)
class Wording:
    """A figure's title and one sentence about it."""

    title: str
    meaning: str


FIGURES: dict[str, Wording] = {
    "turn_right": Wording(
        "Turns that are right",
        "Asks for exactly the right dice, tells the outcome that was rolled, and no rule finds a fault in it.",
    ),
    "call_accuracy": Wording("Asks when it should", "Asks for dice where the author did, and only there."),
    "call_precision": Wording("Requests that were called for", "Of the turns that ask for dice: those that should."),
    "call_recall": Wording("Requests that came", "Of the turns that should ask for dice: those that do."),
    "call_f1": Wording("Asking, both ways", "F1 of the two lines above: high only when both are."),
    "tool_accuracy": Wording(
        "Right kind of roll", "Where dice were wanted and asked for: the same roll as the author's."
    ),
    "argument_accuracy": Wording(
        "Right details, all", "Of the right rolls: every detail (dc, target, weapon) as written."
    ),
    "argument_acceptable": Wording("Right details, enough", "As above, but optional details may be left out."),
    "call_exact": Wording("Exact requests", "Of all the requests of the author: those made exactly."),
    "malformed": Wording("Unreadable requests", "Requests in brackets that no engine can act on."),
    "outcome_told": Wording("Outcome told", "After a roll: begins with success or failure."),
    "outcome_by_dice": Wording("Outcome as rolled", "Where a difficulty decides: the word agrees with the dice."),
    "outcome_as_author": Wording("Outcome as the author chose", "Where no difficulty was given: the author's choice."),
    "outcome_unasked": Wording("Outcome without dice", "Says success or failure although nothing was rolled."),
    "invented_numbers": Wording("Invented numbers", "Turns with a roll, total or damage that nobody rolled."),
    "finished": Wording("Came to an end", "Turns that the model ended itself, before the length limit."),
    "empty": Wording("Empty turns", "Turns without any text."),
    "faithful": Wording("True to the sheets", "Names, belongings and hit points agree with the party's sheets."),
    "misspelled_names": Wording("Names misspelled", "Writes a hero's name otherwise than the sheet does."),
    "foreign_items": Wording("Things that nobody has", "Gives the player something that is not on the sheet."),
    "wrong_hit_points": Wording("Impossible hit points", "Hit points above the maximum, or of a maximum nobody has."),
    "speaks_for_player": Wording("Speaks for the player", "Puts words or decisions into a player's mouth."),
    "out_of_role": Wording("Falls out of its role", "Talks as an assistant instead of a Dungeon Master."),
    "copies_earlier_turn": Wording(
        "Copies an earlier turn", "Nearly the same text as an earlier turn, its own or the player's."
    ),
    "second_person": Wording("Speaks to the player", "Says 'you' somewhere; a habit, neither good nor bad."),
    "english": Wording("English", "Share of the sentences that are English."),
    "repetition": Wording("Repetition", "Share of four-word runs that were there before in the same turn."),
    "words": Wording("Words per turn", "Mean length."),
    "length_ratio": Wording("Length against the author", "Words over the author's words; 1 is the same length."),
    "distinct_1": Wording("Different words", "Different words over all words of all turns."),
    "distinct_2": Wording("Different word pairs", "Different pairs over all pairs of all turns."),
    "perplexity": Wording(
        "Surprise per token (perplexity)",
        "Among how many equally likely word pieces it seems to choose when it reads the author's turn; 1 is none. "
        "Compares only models that cut text alike.",
    ),
    "bits_per_character": Wording(
        "Surprise per letter", "The same in bits per letter of the author's turn; compares any two models."
    ),
}
CHECKS: dict[str, Wording] = {
    "turn_right": FIGURES["turn_right"],
    "call_accuracy": FIGURES["call_accuracy"],
    "calls_exact": Wording("Exactly the right requests", "Every request as the author made it, and no other."),
    "outcome_coherent": Wording("Outcome as rolled, no invented numbers", "The outcome word and the numbers hold."),
    "faithful": FIGURES["faithful"],
    "in_role": Wording("Stays in its role", "Neither talks as an assistant nor speaks for the player."),
}
"""The yes-or-no properties on which models are compared."""
NOT_MEASURED = (
    "whether a reply is good: only faults that rules can see are counted",
    "the model's own play: every turn is judged after the author's conversation, not after the model's earlier turns",
    "speed, memory, heat and battery on a phone",
)


def figure_text(figure: Figure) -> str:
    """For example '45 % (9 of 20), 26 to 66 %'; 'nothing to count' where no turn was of the kind."""
    if figure.value is None:
        return "nothing to count"
    counted = f" ({figure.hits} of {figure.total})" if figure.is_share and figure.interval and _is_count(figure) else ""
    return f"{_number(figure.value, figure)}{counted}{_interval(figure.interval, figure)}"


def difference_text(value: float, interval: Interval) -> str:
    """For example '-20 points, -35 to -5'. An end that is not zero is never shown as zero."""
    return f"{_points(value)} points, {_points(interval.low)} to {_points(interval.high)}"


def _points(part: float) -> str:
    points = part * 100
    if points == 0 or abs(points) >= 0.5:
        return f"{points:+.0f}"
    return f"{max(abs(points), 0.1) * (1 if points > 0 else -1):+.1f}"


def _is_count(figure: Figure) -> bool:
    return figure.interval is not None and figure.interval.method == "Wilson"


def _number(value: float, figure: Figure) -> str:
    if figure.is_share:
        return f"{value * 100:.0f} %"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _interval(interval: Interval | None, figure: Figure) -> str:
    if interval is None or interval.method == "none":
        return ""
    low = f"{interval.low * 100:.0f}" if figure.is_share else _number(interval.low, figure)
    return f", {low} to {_number(interval.high, figure)}"
