"""Base models: the catalogue, importing them, chat templates, and the one function that turns messages into tokens."""

from studio.bases.catalogue import BaseEntry, find_base, get_base, list_bases
from studio.bases.families import ChatTemplate, MessageLike, load_template
from studio.bases.folders import check_folder, import_folder
from studio.bases.import_job import launch_import
from studio.bases.importer import import_base, import_gguf, licence_text
from studio.bases.manifest import BaseManifest, BaseModel, Family
from studio.bases.progress import ImportProgress, ProgressCallback
from studio.bases.rendering import (
    ConversationRenderer,
    RenderedConversation,
    TokenView,
    TurnSpan,
    render_conversation,
    token_views,
)

__all__ = [
    "BaseEntry",
    "BaseManifest",
    "BaseModel",
    "ChatTemplate",
    "ConversationRenderer",
    "Family",
    "ImportProgress",
    "MessageLike",
    "ProgressCallback",
    "RenderedConversation",
    "TokenView",
    "TurnSpan",
    "check_folder",
    "find_base",
    "get_base",
    "import_base",
    "import_folder",
    "import_gguf",
    "launch_import",
    "licence_text",
    "list_bases",
    "load_template",
    "render_conversation",
    "token_views",
]
