"""The Cactus checks of how text reaches the model: pre-tokenizer, end token, chat template.

The 0.2.11 engine accepts a file without a pre-tokenizer name, end token or chat template in silence and then plays as
if it were another model, so these fail here although the file loads. Templates are parsed, never run.
"""

from __future__ import annotations

from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from studio.conversion.formats.gguf_header import GGUFHeader
from studio.errors import ConversionError
from studio.validation.cactus_file import OLD
from studio.validation.cactus_row import CactusCheck, fail, good, not_measured, warn

TEMPLATE = "tokenizer.chat_template"
NO_TEMPLATE = "There is no chat template to look at."
PRE = "tokenizer.ggml.pre"
PRE_TOKENIZERS = frozenset((
    "default", "llama3", "llama-v3", "llama-bpe", "falcon3", "pixtral", "deepseek-llm", "deepseek-coder",
    "deepseek-v3", "deepseek-r1-qwen", "falcon", "mpt", "starcoder", "gpt-2", "phi-2", "jina-es", "jina-de",
    "gigachat", "jina-v1-en", "jina-v2-es", "jina-v2-de", "jina-v2-code", "roberta-bpe", "refact", "command-r",
    "qwen2", "stablelm2", "olmo", "dbrx", "smaug-bpe", "poro-chat", "glm4", "chatglm-bpe", "viking", "jais", "tekken",
    "smollm", "codeshell", "bloom", "gpt3-finnish", "exaone", "chameleon", "minerva-7b", "megrez", "gpt-4o", "llama4",
    "superbpe", "trillion", "bailingmoe", "seed-coder",
))  # fmt: skip
"""Names that stand in the arm64 binary of npm cactus-react-native 0.2.11; any other makes it refuse the file."""
_ADDS_BOS = frozenset({"llama3", "llama-v3", "llama-bpe", "falcon3", "pixtral", "tekken", "llama4", "chameleon"})
_UNKNOWN_TO_MINJA = (
    nodes.Extends,
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Block,
    nodes.With,
    nodes.ScopedEvalContextModifier,
)
LONGEST_TEMPLATE = 256 * 1024
"""Characters; the longest published ones have about 20 thousand."""


def check_pre_tokenizer(header: GGUFHeader) -> CactusCheck:
    """The name of the rule that splits text before it becomes tokens."""
    name = header.text(PRE)
    if header.text("tokenizer.ggml.model") == "llama":
        return good("pre-tokenizer", OLD, "A SentencePiece vocabulary, which needs none.")
    if not name:
        return fail("pre-tokenizer", OLD, "The file names no pre-tokenizer; the engine takes a default in silence.")
    if name not in PRE_TOKENIZERS:
        return fail("pre-tokenizer", OLD, f"The engine does not know the pre-tokenizer {name[:40]!r} and refuses it.")
    return good("pre-tokenizer", OLD, f"The engine knows the pre-tokenizer {name}.")


def check_end_token(header: GGUFHeader) -> CactusCheck:
    """The token that ends a text."""
    number = header.integer("tokenizer.ggml.eos_token_id")
    if number is None:
        return fail("end token", OLD, "The file names no end token; the engine accepts that and replies run on.")
    if not 0 <= number < header.count("tokenizer.ggml.tokens"):
        return fail("end token", OLD, f"The end token {number} is not in the vocabulary.")
    return good("end token", OLD, f"Token {number} ends a text.")


def check_template(header: GGUFHeader) -> CactusCheck:
    """The chat template is there."""
    if header.text(TEMPLATE):
        return good("chat template", OLD, "The file brings its chat template.")
    return fail(
        "chat template", OLD, "The file has no chat template; the engine writes every chat as ChatML in silence."
    )


def check_template_syntax(header: GGUFHeader) -> CactusCheck:
    """The template keeps to the Jinja that the engine's interpreter (minja) understands."""
    source, name = header.text(TEMPLATE), "template syntax"
    if not source:
        return not_measured(name, OLD, NO_TEMPLATE)
    if len(source) > LONGEST_TEMPLATE:
        return fail(name, OLD, f"The template has {len(source)} characters, which no template needs; it was not read.")
    try:
        tree = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"]).parse(source)
    except (TemplateError, RecursionError) as error:
        return fail(name, OLD, f"The template cannot be read: {str(error)[:160] or 'it is nested too deeply'}")
    foreign = sorted({type(node).__name__.lower() for node in tree.find_all(_UNKNOWN_TO_MINJA)})
    if foreign:
        return fail(name, OLD, f"The engine's template reader has no {', '.join(foreign)}.")
    return good(name, OLD, "The template reads as Jinja, with nothing that the engine's reader lacks.")


def check_first_token(header: GGUFHeader) -> CactusCheck:
    """A conversation must begin with exactly the tokens that training began with."""
    text, source = _token(header, "tokenizer.ggml.bos_token_id"), header.text(TEMPLATE)
    if not source:
        return not_measured("first token", OLD, NO_TEMPLATE)
    writes = "bos_token" in source or bool(text and text in source)
    if not writes or _adds_bos(header):
        return good("first token", OLD, "The template and the vocabulary agree on how a conversation begins.")
    return warn(
        "first token", OLD, f"The template itself begins with {text or 'the first token'} and the vocabulary adds "
        "none: the engine was seen to drop the first one.",
    )  # fmt: skip


def check_turn_end(header: GGUFHeader) -> CactusCheck:
    """The text that ends a turn, which the app must give as a stop string."""
    source = header.text(TEMPLATE)
    if not source:
        return not_measured("turn end", OLD, NO_TEMPLATE)
    ends = [_token(header, f"tokenizer.ggml.{key}_token_id") for key in ("eot", "eos")]
    found = next((text for text in ends if text and (text in source or "eos_token" in source)), "")
    if not found:
        return warn("turn end", OLD, "The template does not end turns with the file's end token; find its stop string.")
    return good(
        "turn end", OLD, f"Turns end with {found}; the app must give it as a stop string, or tool calls get lost."
    )


def _adds_bos(header: GGUFHeader) -> bool:
    said = header.values.get("tokenizer.ggml.add_bos_token")
    if isinstance(said, bool):
        return said
    return header.text("tokenizer.ggml.model") == "llama" or header.text(PRE) in _ADDS_BOS


def _token(header: GGUFHeader, key: str) -> str:
    """The text of a token whose number stands under `key`; empty when there is none."""
    number = header.integer(key)
    if number is None or not 0 <= number < header.count("tokenizer.ggml.tokens"):
        return ""
    try:
        return str(header.array("tokenizer.ggml.tokens")[number])
    except ConversionError:
        return ""
