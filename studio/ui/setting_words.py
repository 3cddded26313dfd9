"""The training settings in a Dungeon Master's words: group -> setting -> label and hint.

A setting that is not here appears in the group `More` with the words of its own description.
"""

from __future__ import annotations

MORE = "More"
ELSEWHERE = frozenset({"base_model", "dataset"})
"""Chosen above the settings, and on the page Dataset."""

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Learning": {
        "epochs": (
            "Passes over the scenarios",
            "How often every scenario is read. More passes learn them better, too many learn them by heart: watch the "
            "loss on held-out play.",
        ),
        "max_steps": (
            "Longest run, in steps",
            "Ends the run early, whatever the passes above ask for. 0: as many as they need.",
        ),
        "learning_rate": (
            "Learning rate",
            "How big each step is. Too big, and the model forgets how to write; too small, and it learns nothing in "
            "the time it has. The presets' values are tried.",
        ),
        "warmup_steps": (
            "Gentle first steps",
            "The learning rate rises from nothing over so many steps: the first scenarios do not push too hard.",
        ),
        "weight_decay": (
            "Pull towards the base model",
            "Keeps what is learned small (weight decay). 0 is usual for so few scenarios; 0.01 or 0.1 holds back.",
        ),
        "max_grad_norm": (
            "Longest push",
            "A step that one strange scenario would make longer than this is shortened (gradient clipping).",
        ),
        "replay_share": (
            "Share of known scenarios",
            "When a run goes on from an earlier one: how much of each pass is what that one knows already, so that it "
            "is not forgotten. 1 reads all of it.",
        ),
        "seed": ("Seed", "The same seed, settings and scenarios give the same model on one machine."),
    },
    "Adapter": {
        "lora_rank": (
            "Rank",
            "How much the model may change (LoRA rank). 8 to 32 suits a small model; more takes more memory and learns "
            "by heart sooner.",
        ),
        "lora_alpha": (
            "Alpha",
            "How strongly the change counts: alpha divided by rank. It keeps its proportion to the rank until you "
            "write a number of your own.",
        ),
        "use_rslora": (
            "Steadier at high ranks",
            "Divides alpha by the root of the rank instead of the rank (rsLoRA). Worth a try above rank 64.",
        ),
        "use_dora": (
            "Direction and size apart",
            "Learns how far and whereto weights change separately (DoRA): a little better at low ranks, and slower.",
        ),
        "lora_dropout": (
            "Dropout",
            "Leaves out a share of the adapter's inputs at random while training. 0.05 to 0.1 can help against "
            "learning by heart.",
        ),
        "target_modules": (
            "Layers that learn",
            "all-linear: every layer that can. Or names separated by commas, such as q_proj, v_proj: fewer layers "
            "learn less and take less memory.",
        ),
    },
    "Length and batch": {
        "max_seq_length": (
            "Longest row, in tokens",
            "Conversations beyond this are cut into several rows. Longer rows remember more of a scene and need much "
            "more memory. A token is about three quarters of a word.",
        ),
        "batch_size": (
            "Conversations at once",
            "How many are read side by side. 1 wastes nothing on padding and needs the least memory.",
        ),
        "gradient_accumulation_steps": (
            "Batches per step",
            "So many are read before the model changes. More makes each step steadier and the steps fewer.",
        ),
        "share_beginnings": (
            "Read the same beginning once",
            "Parts and variants of one scene are learned in one step, so that the rules and the party they all begin "
            "with are read once. Faster, and nothing else changes but the order.",
        ),
    },
    "Checks": {
        "eval_steps": (
            "Look at held-out play every … steps",
            "How often the loss on scenarios it never learns from is measured. 0: once per pass.",
        ),
        "sample_turns": (
            "Turns it writes at every look",
            "Held-out turns that the model writes, so that you see it learn. Each takes some seconds. 0: none.",
        ),
        "keep_best": (
            "Keep the best, not the last",
            "What the run leaves is the state with the lowest loss on held-out play.",
        ),
        "early_stopping_patience": (
            "Stop when it gets no better",
            "Ends the run when so many looks in a row brought nothing. 0: never.",
        ),
    },
    "Saving": {
        "checkpoint_steps": (
            "Save every … steps",
            "After a crash or a power cut the run goes on from there. Saving takes a second or two.",
        ),
        "checkpoint_minutes": (
            "Save every … minutes",
            "At the latest so long after the last time, however slow the steps are. 0: by steps only.",
        ),
        "keep_checkpoints": (
            "States to keep",
            "The newest so many stay on the disk. Two survive a power cut in the middle of saving.",
        ),
        "trackers": (
            "Write to trackers too",
            "Writes the curves for these programs as well, into the run's folder. They must be installed.",
        ),
    },
    "Machine": {
        "quantize_base": (
            "Base model in 4 bits",
            "nf4: the base model, which does not change, is held in a quarter of the memory while training (QLoRA). "
            "That is slower. none: as it is.",
        ),
        "use_gpu": (
            "Use the graphics card",
            "Where an NVIDIA card works; else the run says why and goes on with the processor.",
        ),
        "memory_limit_gb": (
            "Memory limit, in GiB",
            "What the run may use at most. 0: no limit.",
        ),
        "retry_out_of_memory": (
            "Try again with half the batch",
            "When the memory is not enough, the run goes on with fewer conversations at once; what a step learns from "
            "stays the same.",
        ),
        "processes": (
            "Processes",
            "How many work on this run at the same time: one per graphics card. 1 where there is none.",
        ),
        "distributed": ("Way of sharing the work", "ddp: each process has the whole model. fsdp: they share it."),
    },
}  # fmt: skip
