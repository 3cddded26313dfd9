"""The playground: a model host process, dice, the tool-call runtime, sessions and script runs.

The names below are looked up when they are first used (`studio.exports`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.exports import lazily

if TYPE_CHECKING:
    from studio.play.context.window import Window, fit_window
    from studio.play.hosts.branch_plan import BATCHING
    from studio.play.hosts.client import Generation, HostOptions, ModelHost
    from studio.play.hosts.limits import HostLimits, can_limit
    from studio.play.hosts.pool import HostPool
    from studio.play.hosts.protocol import Branch, BranchDone, Done, HostInfo, Prefilled, Sampling, StopReason, Token
    from studio.play.script import (
        ScriptTurn,
        Transcript,
        load_script,
        loaded_text,
        play_vocabulary,
        read_scenario,
        read_script,
        run_script,
        transcript_markdown,
        window_note,
    )
    from studio.play.serving.server import ModelService, ServerSettings, listen_on_loopback, server_for
    from studio.play.sessions.entry_points import EntryPoint, entry_points
    from studio.play.sessions.index import SessionIndex, SessionSummary
    from studio.play.sessions.session import (
        BranchPoint,
        ChatMessage,
        ChatSession,
        ModelStamp,
        PlaySettings,
        TurnRecord,
        new_session,
    )
    from studio.play.sessions.store import (
        delete_session,
        list_sessions,
        load_session,
        rename_session,
        save_session,
        scenario_text,
    )
    from studio.play.terminal import chat_loop, terminal_text
    from studio.play.turns.dice import DiceBox, DiceError, Throw
    from studio.play.turns.events import (
        DiceAskedEvent,
        DirectiveEvent,
        NoteEvent,
        PlayEvent,
        PrefillEvent,
        ReadingEvent,
        RecapEvent,
        RecapProgressEvent,
        RollEvent,
        StateEvent,
        TokenEvent,
        TurnEndEvent,
        TurnStatistics,
        WindowEvent,
    )
    from studio.play.turns.history import (
        StoryTurn,
        branch,
        edit_line,
        edit_reply,
        leaf,
        redo,
        story_turns,
        undo,
    )
    from studio.play.turns.prompt import PromptRenderer, family_of
    from studio.play.turns.replies import ReplyState, read_reply
    from studio.play.turns.rolls import Answer, PlannedRoll, Roll, RollRequest, answer
    from studio.play.turns.runtime import enter_rolls, go_on, play_turn, tell_again

__all__ = [
    "BATCHING",
    "Answer",
    "Branch",
    "BranchDone",
    "BranchPoint",
    "ChatMessage",
    "ChatSession",
    "DiceAskedEvent",
    "DiceBox",
    "DiceError",
    "DirectiveEvent",
    "Done",
    "EntryPoint",
    "Generation",
    "HostInfo",
    "HostLimits",
    "HostOptions",
    "HostPool",
    "ModelHost",
    "ModelService",
    "ModelStamp",
    "NoteEvent",
    "PlannedRoll",
    "PlayEvent",
    "PlaySettings",
    "PrefillEvent",
    "Prefilled",
    "PromptRenderer",
    "ReadingEvent",
    "RecapEvent",
    "RecapProgressEvent",
    "ReplyState",
    "Roll",
    "RollEvent",
    "RollRequest",
    "Sampling",
    "ScriptTurn",
    "ServerSettings",
    "SessionIndex",
    "SessionSummary",
    "StateEvent",
    "StopReason",
    "StoryTurn",
    "Throw",
    "Token",
    "TokenEvent",
    "Transcript",
    "TurnEndEvent",
    "TurnRecord",
    "TurnStatistics",
    "Window",
    "WindowEvent",
    "answer",
    "branch",
    "can_limit",
    "chat_loop",
    "delete_session",
    "edit_line",
    "edit_reply",
    "enter_rolls",
    "entry_points",
    "family_of",
    "fit_window",
    "go_on",
    "leaf",
    "list_sessions",
    "listen_on_loopback",
    "load_script",
    "load_session",
    "loaded_text",
    "new_session",
    "play_turn",
    "play_vocabulary",
    "read_reply",
    "read_scenario",
    "read_script",
    "redo",
    "rename_session",
    "run_script",
    "save_session",
    "scenario_text",
    "server_for",
    "story_turns",
    "tell_again",
    "terminal_text",
    "transcript_markdown",
    "undo",
    "window_note",
]

if not TYPE_CHECKING:  # a module with __getattr__ has any name for a type checker
    __getattr__ = lazily(
        globals(),
        (
            "context.window",
            "hosts.branch_plan",
            "hosts.client",
            "hosts.limits",
            "hosts.pool",
            "hosts.protocol",
            "script",
            "serving.server",
            "sessions.entry_points",
            "sessions.index",
            "sessions.session",
            "sessions.store",
            "terminal",
            "turns.dice",
            "turns.events",
            "turns.history",
            "turns.prompt",
            "turns.replies",
            "turns.rolls",
            "turns.runtime",
        ),
    )
