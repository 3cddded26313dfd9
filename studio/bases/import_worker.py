"""The worker process that turns a GGUF into the form that training loads: safetensors, config.json, tokenizer.json.

Run as `python -m studio.bases.import_worker --gguf FILE --out FOLDER [--family F]`; the last line it prints is JSON.
Only this process imports torch and transformers. It never uses the network and never runs code that came with a model.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.bases.families import load_template
from studio.bases.gguf_tokenizer import pre_tokenizer_for
from studio.errors import BaseModelError, StudioError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LARGEST_FLOAT16 = 65504.0
_ARCHITECTURES = {"gemma3": "gemma3", "qwen2": "qwen2.5", "qwen3": "qwen3"}


def main(arguments: list[str] | None = None) -> int:
    """Convert and print `{"family": ...}`, or print the error as JSON and return 1."""
    parser = argparse.ArgumentParser(prog="python -m studio.bases.import_worker")
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--family", default="")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    try:
        result: dict[str, str] = {"family": convert(options.gguf, options.out, options.family, options.threads)}
    except StudioError as error:
        result = error.as_dict()
    sys.stdout.write(json.dumps(result) + "\n")
    return int("error" in result)


def convert(gguf: Path, out: Path, family: str, threads: int) -> str:
    """Write the training form of `gguf` into `out` and return its family.

    Raises:
        BaseModelError: transformers cannot read the file, its tokenizer is of a kind that was never compared, or the
            disk is full.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    import transformers
    from safetensors import SafetensorError

    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call,unused-ignore]
    architecture, pre = _read_header(gguf)
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(**source)
        model = transformers.AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    except (ValueError, OSError, KeyError, RuntimeError, NotImplementedError, ImportError) as error:
        raise BaseModelError(
            "This GGUF cannot be turned into a form that training loads.",
            why=str(error).splitlines()[0] if str(error) else type(error).__name__,
            next_step="Use a GGUF of Llama/SmolLM2, Gemma 3, Qwen2.5 or Qwen3, or the model's Hugging Face folder.",
            where=gguf.name,
        ) from error
    family = family or _family(architecture, tokenizer)
    try:
        out.mkdir(parents=True, exist_ok=True)
        _save_tokenizer(tokenizer, architecture, pre, out)
        _save_model(model, out)
        _save_chat(model, tokenizer, family, out)
    except (OSError, SafetensorError) as error:
        raise BaseModelError(
            "The training form of this model could not be written.",
            why=f"{error}.",
            next_step="Make free space on the disk of the models folder, then start again: what was fetched is kept.",
            where=gguf.name,
        ) from error
    return family


def _read_header(gguf: Path) -> tuple[str, str]:
    """Architecture and pre-tokenizer name, as the file states them."""
    from gguf import GGUFReader

    try:
        fields = GGUFReader(gguf).fields
        wanted = ("general.architecture", "tokenizer.ggml.pre")
        architecture, pre = (str(fields[key].contents()) if key in fields else "" for key in wanted)
    except (ValueError, OSError, IndexError, KeyError, UnicodeDecodeError, MemoryError) as error:
        raise BaseModelError("This is not a readable GGUF file.", why=str(error), where=gguf.name) from error
    return architecture, pre


def _family(architecture: str, tokenizer: PreTrainedTokenizerBase) -> str:
    if architecture in _ARCHITECTURES:
        return _ARCHITECTURES[architecture]
    vocabulary = tokenizer.get_vocab()
    if architecture == "llama" and "<|im_end|>" in vocabulary:
        return "smollm2"
    if architecture == "llama" and "<|eot_id|>" in vocabulary:
        return "llama3"
    raise BaseModelError(
        f"The architecture {architecture!r} with this vocabulary has no chat template here.",
        next_step="Use a model of Llama 3, SmolLM2, Gemma 3, Qwen2.5 or Qwen3.",
    )


def _save_tokenizer(tokenizer: PreTrainedTokenizerBase, architecture: str, pre: str, out: Path) -> None:
    """tokenizer.json with the pre-tokenizer that llama.cpp uses, and a tokenizer_config.json that loads it as it is."""
    backend: Any = tokenizer.backend_tokenizer  # type: ignore[attr-defined,unused-ignore]
    if splitter := pre_tokenizer_for(architecture, pre):
        backend.pre_tokenizer = splitter
    backend.save(str(out / "tokenizer.json"))
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    config = {name: getattr(tokenizer, name) for name in names if getattr(tokenizer, name)}
    config |= {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _save_model(model: PreTrainedModel, out: Path) -> None:
    from safetensors.torch import save_file

    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    state = model.state_dict()
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    save_file({name: _stored(tensor) for name, tensor in state.items()}, out / "model.safetensors", {"format": "pt"})
    (out / "model.safetensors").chmod(0o644)  # the library writes it readable by its owner alone
    model.config._name_or_path = ""
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(out)


def _stored(tensor: torch.Tensor) -> torch.Tensor:
    """Matrices as float16 (half the file, well below the rounding of a 4-bit source), vectors as float32."""
    import torch

    fits = tensor.ndim > 1 and float(tensor.abs().max()) <= _LARGEST_FLOAT16
    return tensor.to(torch.float16 if fits else torch.float32).contiguous()


def _save_chat(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, family: str, out: Path) -> None:
    """The family's template, and a generation config that stops at the end of a turn as well as of the text."""
    template = load_template(family)
    end_of_turn = tokenizer.convert_tokens_to_ids(template.end_of_turn)
    if not isinstance(end_of_turn, int) or end_of_turn == tokenizer.unk_token_id:
        raise BaseModelError(f"The vocabulary has no {template.end_of_turn}, which the family {family} needs.")
    (out / "chat_template.jinja").write_text(template.source, encoding="utf-8")
    ends = [token for token in (tokenizer.eos_token_id, end_of_turn) if isinstance(token, int)]
    if model.generation_config is not None:
        model.generation_config.eos_token_id = sorted(set(ends))
        model.generation_config.save_pretrained(out)


if __name__ == "__main__":
    sys.exit(main())
