"""Variations for a Dungeon Master: choose what may vary, have them proposed, and decide about each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from pages.parts.layout import empty_state, facts, show_error, told, told_afterwards, vocabulary, workspace
from studio.dataset.augmentation import (
    OPERATIONS,
    AugmentationPlan,
    AugmentationStore,
    Proposal,
    Status,
    without_provenance,
)
from studio.dataset.variations import (
    Proposed,
    propose,
    propose_again,
    scenario_names,
    scenario_texts,
    standings,
    varied_by,
)
from studio.errors import StudioError
from studio.ui.variations import (
    ALTERNATIVES,
    PAGE,
    WORDINGS,
    changes,
    changes_html,
    filtered,
    operations_title,
    outcome_sentence,
    reach_sentence,
    refused_rows,
    scene_title,
    status_icon,
    status_title,
    titles,
)
from studio.ui.wording import count, plain

_STYLE = Path(__file__).parent / "variations.css"
# Keys of the session that no widget may have.
_SHOWN, _BEFORE, _REPORT = "variation_that_is_shown", "variations_before_the_decision", "variations_just_proposed"
_LOOKED_AT = 120
"""Scenarios that are tried to say how many an operation can vary."""
_USUAL = ("entity renaming", "re-rolled dice")
_STATES: tuple[Status, ...] = ("proposed", "accepted", "rejected")
_WORDS: dict[Status, str] = {"proposed": "put back", "accepted": "accepted", "rejected": "rejected"}


def variations_view() -> None:
    """The whole part. Without a scenario it says what comes first."""
    st.html(_STYLE)
    with told():
        names = scenario_names(workspace())
        found = _store().proposals()
        if not names and not found:
            empty_state("alt_route", "Nothing to vary yet", "Write a scenario first. Variations are made of it.")
            return
        if names:
            _maker(names, first=not found)
        _report()
        if found:
            _review(found)


def _store() -> AugmentationStore:
    return AugmentationStore(workspace())


def _maker(names: Sequence[str], *, first: bool) -> None:
    """What may vary, and the button that has it proposed."""
    with st.expander("Make variations", expanded=first, icon=":material/alt_route:", key=f"variations_maker_{first}"):
        st.caption(
            "Every word stands in your scenario or in the list of names: no model writes anything. "
            "Training reads only what you accept."
        )
        chosen = _choices(names)
        _hints(names)
        with st.container(horizontal=True, vertical_alignment="bottom", key="variations_settings"):
            copies = st.number_input(
                "Copies", 1, 20, 1, key="variations_copies", width=130, help="Of each scenario and each choice."
            )
            seed = st.number_input(
                "Chance", 0, 2**31 - 1, 7, key="variations_seed", width=160,
                help="The seed. The same number gives the same variations, another number others.",
            )  # fmt: skip
            together = st.toggle("All on one copy", key="variations_together", help="Else one copy for each choice.")
        if st.button("Propose", type="primary", key="variations_propose", disabled=not chosen):
            _propose(names, AugmentationPlan(operations=tuple(chosen), copies=copies, together=together), seed)


def _choices(names: Sequence[str]) -> list[str]:
    reach, looked_at = _reach(_stamps(names), names)
    chosen = []
    columns = st.container(key="variations_choices").columns(2, gap="medium")
    for place, (name, wording) in enumerate(WORDINGS.items()):
        with columns[place * 2 // len(WORDINGS)]:
            possible = reach_sentence(reach[name], looked_at, len(names))
            if st.checkbox(
                f"**{wording.title}**", value=name in _USUAL and reach[name] > 0, key=f"vary_{name.replace(' ', '_')}",
                disabled=not reach[name],
            ):  # fmt: skip
                chosen.append(name)
            st.caption(f"{plain(wording.sentence)} **{possible}**")
    return [name for name in OPERATIONS if name in chosen]


def _hints(names: Sequence[str]) -> None:
    """How to write what the operations can use, where no scenario has any."""
    texts = scenario_texts(workspace(), names[:_LOOKED_AT]).values()
    hints = [] if any("{" in text and "|" in text for text in texts) else [WORDINGS["paraphrase slots"].how]
    hints += [] if any("otherwise" in text for text in texts) else [ALTERNATIVES]
    if hints:
        st.caption("\n\n".join(f":material/lightbulb: {plain(hint)}" for hint in hints))


def _stamps(names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """What changes when a scenario does."""
    root = workspace().scenarios_dir
    return tuple((name, (root / name).stat().st_mtime_ns) for name in names if (root / name).is_file())


@st.cache_data(max_entries=8, show_spinner="Looking at what can vary")
def _reach(stamps: tuple[tuple[str, int], ...], _names: Sequence[str]) -> tuple[dict[str, int], int]:
    """How many of some scenarios each operation can vary, and how many those are."""
    step = max(1, -(-len(_names) // _LOOKED_AT))
    texts = scenario_texts(workspace(), _names[::step])
    return {name: len(varied_by(one, texts, vocabulary())) for name, one in OPERATIONS.items()}, max(1, len(texts))


def _propose(names: Sequence[str], plan: AugmentationPlan, seed: int) -> None:
    bar = st.progress(0.0, "Making variations")

    def show(made: int, total: int) -> None:
        bar.progress(made / total, f"{count(made, 'scenario')} of {total:,}")

    try:
        done = propose(workspace(), names, plan, seed, show)
    except StudioError as error:
        bar.empty()
        show_error(error)
        return
    st.session_state[_REPORT] = done
    st.session_state.pop(_SHOWN, None)
    st.session_state["variations_status"] = "proposed"
    st.rerun()


def _report() -> None:
    """What the last call for proposals came to, and what was not made and why."""
    done: Proposed | None = st.session_state.get(_REPORT)
    if done is None:
        return
    with st.container(border=True, key="variations_report"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(plain(outcome_sentence(len(done.made), done.new, len(done.refused))), width="stretch")
            st.button("", icon=":material/close:", type="tertiary", key="variations_report_close", help="Close",
                      on_click=lambda: st.session_state.pop(_REPORT, None))  # fmt: skip
        if done.refused:
            with st.expander("What was not made, and why", key="variations_refused"):
                st.dataframe(refused_rows(done.refused), hide_index=True, key="variations_refused_rows")


def _review(found: Sequence[Proposal]) -> None:
    _stale_bar(found)
    shown = _filters(found)
    if not shown:
        _nothing_shown(found)
        return
    named = titles(found)
    position = next((i for i, one in enumerate(shown) if one.name == st.session_state.get(_SHOWN)), 0)
    left, right = st.container(key="variations_review").columns([2, 5], gap="large")
    with left:
        _all_shown(shown)
        _list(shown, named, position)
    with right:
        _card(shown, named, position)


def _stale_bar(found: Sequence[Proposal]) -> None:
    """Variations whose scenarios were changed, and the button that makes all of them again."""
    wanted = [one for one in found if one.status != "rejected"]
    changed = [name for name, standing in standings(workspace(), wanted).items() if standing == "changed"]
    if changed:
        with st.container(border=True, horizontal=True, vertical_alignment="center", key="variations_stale"):
            st.markdown(
                f":material/sync_problem: {count(len(changed), 'variation')} of scenarios that you changed since: "
                "not trained on until made again.", width="stretch",
            )  # fmt: skip
            st.button("Make again", icon=":material/sync:", key="variations_again", on_click=_again, args=(changed,))


def _filters(found: Sequence[Proposal]) -> list[Proposal]:
    numbers = Counter(one.status for one in found)
    st.session_state.setdefault("variations_status", "proposed")
    with st.container(horizontal=True, vertical_alignment="bottom", key="variations_filters"):
        status = st.segmented_control(
            "Show", _STATES, key="variations_status",
            format_func=lambda one: status_title(one, numbers[one]),
        )  # fmt: skip
        used = {name for one in found for name in one.operations}
        operation = st.selectbox(
            "Variation", [name for name in OPERATIONS if name in used], index=None, placeholder="All",
            key="variations_operation", format_func=lambda one: WORDINGS[one].title, width=220,
        )  # fmt: skip
        parent = st.selectbox(
            "Scenario", sorted({one.parent for one in found}), index=None, placeholder="All",
            key="variations_parent", format_func=scene_title, width=260,
        )  # fmt: skip
        _undo_button(found)
    return filtered(found, status, operation, parent)


def _nothing_shown(found: Sequence[Proposal]) -> None:
    if any(one.status == "proposed" for one in found):
        st.caption("No variation fits these filters.")
    else:
        accepted = sum(one.status == "accepted" for one in found)
        st.success(
            f"Everything is decided: {accepted:,} accepted. They are read with the scenarios from now on.",
            icon=":material/done_all:",
        )


def _all_shown(shown: Sequence[Proposal]) -> None:
    """Decide about everything that the filters leave."""
    open_ones = [one.name for one in shown if one.status == "proposed"]
    if len(open_ones) < 2:
        return
    with st.container(horizontal=True, key="variations_all"):
        for status, label, icon in (("accepted", "Accept all", "done_all"), ("rejected", "Reject all", "remove_done")):
            st.button(
                f"{label} {len(open_ones):,}", icon=f":material/{icon}:", key=f"variations_all_{status}",
                type="tertiary", on_click=_decide, args=(open_ones, status, None),
            )  # fmt: skip


def _list(shown: Sequence[Proposal], named: dict[str, str], position: int) -> None:
    pages = -(-len(shown) // PAGE)
    first = position // PAGE * PAGE
    with st.container(key="variation_list"):
        for place, one in enumerate(shown[first : first + PAGE], start=first):
            key = "chosen" if place == position else str(place - first)
            st.button(
                plain(named[one.name]), key=f"variation_row_{key}", icon=f":material/{status_icon(one.status)}:",
                type="tertiary", width="stretch", on_click=_show, args=(one.name,),
            )  # fmt: skip
    if pages > 1:
        with st.container(horizontal=True, vertical_alignment="center", key="variations_pages"):
            before, after = first - PAGE, first + PAGE
            st.button("", icon=":material/chevron_left:", key="variations_page_back", type="tertiary",
                      disabled=before < 0, on_click=_show, help="Previous page",
                      args=(shown[max(before, 0)].name,))  # fmt: skip
            st.caption(f"Page {first // PAGE + 1:,} of {pages:,}", width="content")
            st.button("", icon=":material/chevron_right:", key="variations_page_on", type="tertiary",
                      disabled=after >= len(shown), on_click=_show, help="Next page",
                      args=(shown[min(after, len(shown) - 1)].name,))  # fmt: skip


def _card(shown: Sequence[Proposal], named: dict[str, str], position: int) -> None:
    """One variation: what it is, what can be done with it, and what it changes."""
    one = shown[position]
    st.subheader(plain(named[one.name]), anchor=False)
    _buttons(shown, position)
    facts([("from", one.parent), ("done", operations_title(one.operations)), ("seed", str(one.seed))])
    _standing(one)
    with told():
        before = _store().parent_text(one.name)
        after = without_provenance(_store().text(one.name), one.parent, one.operations, one.seed)
        st.html(changes_html(changes(before, after)))


def _buttons(shown: Sequence[Proposal], position: int) -> None:
    one, last = shown[position], len(shown) - 1
    following = shown[position + 1 if position < last else max(position - 1, 0)].name
    with st.container(horizontal=True, vertical_alignment="center", key="variation_buttons"):
        for status, label, icon in (("accepted", "Accept", "check"), ("rejected", "Reject", "close")):
            st.button(
                label, icon=f":material/{icon}:", key=f"variation_{status}", on_click=_decide,
                args=([one.name], status, following), disabled=one.status == status,
                type="primary" if status == "accepted" else "secondary",
            )  # fmt: skip
        if one.status != "proposed":
            st.button("Put back", icon=":material/pending:", key="variation_proposed", on_click=_decide,
                      args=([one.name], "proposed", following))  # fmt: skip
        st.space("stretch")
        with st.container(horizontal=True, vertical_alignment="center", width="content", key="variation_steps"):
            st.button("", icon=":material/arrow_back:", key="variation_previous", help="Previous",
                      disabled=position == 0, on_click=_show, args=(shown[max(position - 1, 0)].name,))  # fmt: skip
            st.caption(f"{position + 1:,} of {len(shown):,}", width="content")
            st.button("", icon=":material/arrow_forward:", key="variation_next", help="Next",
                      disabled=position == last, on_click=_show, args=(following,))  # fmt: skip


def _standing(one: Proposal) -> None:
    standing = standings(workspace(), [one])[one.name]
    if standing == "gone":
        st.warning(
            "The scenario that it was made from is gone, so it is not trained on. Reject it, or bring that one back.",
            icon=":material/link_off:",
        )
    elif standing == "changed":
        st.warning(
            "Its scenario was changed since, so it is not trained on. Make it again to have it follow.",
            icon=":material/sync_problem:",
        )
        st.button("Make it again", icon=":material/sync:", key="variation_again", on_click=_again,
                  args=([one.name],))  # fmt: skip


def _undo_button(found: Sequence[Proposal]) -> None:
    """The way back right after a decision, in a place where it moves nothing."""
    before: list[Proposal] = st.session_state.get(_BEFORE, [])
    if before:
        now = {one.name: one.status for one in found}
        word = _WORDS[now.get(before[0].name, "proposed")]
        st.button(
            f"Undo: {len(before):,} {word}", icon=":material/undo:", type="tertiary", key="variations_undo",
            on_click=_undo,
        )  # fmt: skip


def _show(name: str) -> None:
    st.session_state[_SHOWN] = name


def _decide(names: Sequence[str], status: Status, following: str | None) -> None:
    with told_afterwards():
        st.session_state[_BEFORE] = _store().decide(names, status)
        st.session_state[_SHOWN] = following


def _undo() -> None:
    before: list[Proposal] = st.session_state.pop(_BEFORE, [])
    with told_afterwards():
        _store().restore(before)
        st.session_state[_SHOWN] = before[0].name if before else None


def _again(names: Sequence[str]) -> None:
    with told_afterwards():
        st.session_state[_REPORT] = propose_again(workspace(), names)
        st.session_state["variations_status"] = "proposed"
        st.session_state[_SHOWN] = names[0]
