"""The playground: a model host process, dice, the tool-call runtime, sessions and script runs."""

from studio.play.branch_plan import BATCHING
from studio.play.client import Generation, HostOptions, ModelHost
from studio.play.dice import DiceBox, DiceError, Throw
from studio.play.events import (
    DirectiveEvent,
    NoteEvent,
    PlayEvent,
    PrefillEvent,
    RollEvent,
    StateEvent,
    TokenEvent,
    TurnEndEvent,
    TurnStatistics,
    WindowEvent,
)
from studio.play.game import Belonging, Change, Game, Initiative, Standing, game_after
from studio.play.limits import HostLimits, can_limit
from studio.play.pool import HostPool
from studio.play.prompt import PromptRenderer, family_of
from studio.play.protocol import Branch, BranchDone, Done, HostInfo, Prefilled, Sampling, StopReason, Token
from studio.play.replies import ReplyState, read_reply
from studio.play.rolls import Answer, Roll, acting_character, answer
from studio.play.runtime import play_turn
from studio.play.script import (
    ScriptTurn,
    Transcript,
    chat_loop,
    loaded_text,
    play_vocabulary,
    read_scenario,
    read_script,
    run_script,
    terminal_text,
    transcript_markdown,
    window_note,
)
from studio.play.server import ModelService, ServerSettings, listen_on_loopback, server_for
from studio.play.session import ChatMessage, ChatSession, ModelStamp, PlaySettings, TurnRecord, new_session
from studio.play.store import (
    SessionSummary,
    delete_session,
    list_sessions,
    load_session,
    save_session,
    scenario_text,
)
from studio.play.window import Window, fit_window

__all__ = [
    "BATCHING",
    "Answer",
    "Belonging",
    "Branch",
    "BranchDone",
    "Change",
    "ChatMessage",
    "ChatSession",
    "DiceBox",
    "DiceError",
    "DirectiveEvent",
    "Done",
    "Game",
    "Generation",
    "HostInfo",
    "HostLimits",
    "HostOptions",
    "HostPool",
    "Initiative",
    "ModelHost",
    "ModelService",
    "ModelStamp",
    "NoteEvent",
    "PlayEvent",
    "PlaySettings",
    "PrefillEvent",
    "Prefilled",
    "PromptRenderer",
    "ReplyState",
    "Roll",
    "RollEvent",
    "Sampling",
    "ScriptTurn",
    "ServerSettings",
    "SessionSummary",
    "Standing",
    "StateEvent",
    "StopReason",
    "Throw",
    "Token",
    "TokenEvent",
    "Transcript",
    "TurnEndEvent",
    "TurnRecord",
    "TurnStatistics",
    "Window",
    "WindowEvent",
    "acting_character",
    "answer",
    "can_limit",
    "chat_loop",
    "delete_session",
    "family_of",
    "fit_window",
    "game_after",
    "list_sessions",
    "listen_on_loopback",
    "load_session",
    "loaded_text",
    "new_session",
    "play_turn",
    "play_vocabulary",
    "read_reply",
    "read_scenario",
    "read_script",
    "run_script",
    "save_session",
    "scenario_text",
    "server_for",
    "terminal_text",
    "transcript_markdown",
    "window_note",
]
