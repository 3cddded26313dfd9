"""peft's LoRA layer with a forward and backward of our own, for the common case: plain LoRA on a plain linear layer.

`y = x W^T + b + s (x A^T) B^T`, with the update added in place. peft's own forward makes two more tensors of the size
of `y`, and where the base is bfloat16 also a float32 copy of `x` that is kept until the backward pass: with all linear
layers adapted, these copies are the largest part of the memory. Here A and B are rounded to the base's type for the
multiplications, as under autocast; they, their gradients and their optimizer states stay float32.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora.layer import Linear
from torch import nn


class LoraLinear(Linear):  # type: ignore[misc]
    """peft's layer in everything but the way its output is computed."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Output `[..., out]` for `x` `[..., in]`; what is not plain LoRA in one type is left to peft."""
        name = self.active_adapters[0] if len(self.active_adapters) == 1 else ""
        if args or kwargs or not self._is_plain(name, x):
            return super().forward(x, *args, **kwargs)
        base, a, b = self.base_layer, self.lora_A[name].weight, self.lora_B[name].weight
        return _LoraFunction.apply(x, base.weight, base.bias, a, b, self.scaling[name])

    def _is_plain(self, name: str, x: torch.Tensor) -> bool:
        return (
            name in self.lora_A
            and not self.merged
            and not self.disable_adapters
            and name not in self.lora_variant  # DoRA and its like
            and isinstance(self.lora_dropout[name], nn.Identity)
            and x.dtype == self.base_layer.weight.dtype
            and not torch.is_autocast_enabled(x.device.type)
        )


class _LoraFunction(torch.autograd.Function):  # type: ignore[misc]
    """The weights are frozen: there are gradients for `x`, A and B only."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        a: torch.Tensor,
        b: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        rows = x.reshape(-1, x.shape[-1])
        a_typed, b_typed = a.to(weight.dtype), b.to(weight.dtype)
        inner = rows @ a_typed.t()
        output = rows @ weight.t() if bias is None else torch.addmm(bias, rows, weight.t())
        output.addmm_(inner, b_typed.t(), alpha=scale)
        ctx.save_for_backward(rows, weight, a, b, inner)
        ctx.scale, ctx.shape = scale, x.shape
        return output.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, weight, a, b, inner = ctx.saved_tensors
        outer = gradient.reshape(-1, gradient.shape[-1])
        back = (outer @ b.to(weight.dtype)).mul_(ctx.scale)
        to_a = (back.t() @ rows).to(a.dtype)
        to_b = (outer.t() @ inner).to(b.dtype).mul_(ctx.scale)
        to_x = None
        if ctx.needs_input_grad[0]:  # not below the first layer: the embeddings are frozen
            to_x = (outer @ weight).addmm_(back, a.to(weight.dtype)).view(ctx.shape)
        return to_x, None, None, to_a, to_b, None
