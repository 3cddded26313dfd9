"""Attention of tokens that go on from keys and values computed before, as transformers' models can be told to use it.

Where nothing was computed before it is transformers' own (`sdpa`), to the bit. Where something was, and nothing is
padded, torch's kernels have no mode for it: their causal mask is aligned to the first key, and with a mask of ones and
zeros they compute the half that is masked, too. So the tokens attend twice, to what came before and causally to one
another, and the two results are weighed by their normalizers: the softmax over all keys, and exactly so (the online
softmax of arXiv 1805.02867; its gradient needs no more than the joint output and normalizer, as in arXiv 2310.01889).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "studio"
"""Its name in transformers (`attn_implementation`)."""

_kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_kernel_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attention_mask: Any, **options: Any
) -> tuple[torch.Tensor, None]:
    """Output `[batch, queries, heads, width]` for query, key and value `[batch, heads, tokens, width]`.

    The queries are the last of the tokens that keys and values are given for. There may be fewer heads of keys than of
    queries.
    """
    queries, keys = query.shape[2], key.shape[2]
    if attention_mask is not None or queries in (1, keys) or options.get("dropout"):
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return output, None
    scale = options.get("scaling") or query.shape[-1] ** -0.5
    if query.device.type == "cpu":
        output = _GoingOn.apply(query, key, value, scale)
    else:
        shape = causal_lower_right(queries, keys)
        output = scaled_dot_product_attention(query, key, value, attn_mask=shape, scale=scale, enable_gqa=True)
    return output.transpose(1, 2).contiguous(), None


def mask(**facts: Any) -> Any:
    """The mask that `attend` wants: none where there is neither padding nor a window that is too small to see all."""
    window = facts.get("local_size")
    sees_all = window is None or facts["kv_length"] < window
    if facts.get("attention_mask") is None and facts.get("allow_is_causal_skip", True) and sees_all:
        return None
    return sdpa_mask(**facts)


class _GoingOn(torch.autograd.Function):  # type: ignore[misc]
    """The queries stand at the end of the keys."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float) -> torch.Tensor:
        before = key.shape[2] - query.shape[2]
        output, normalizer = _kernel(query, key[:, :, before:], value[:, :, before:], 0.0, True, scale=scale)
        earlier, earlier_normalizer = _kernel(query, key[:, :, :before], value[:, :, :before], 0.0, False, scale=scale)
        joint = torch.logaddexp(normalizer, earlier_normalizer)
        output.mul_((normalizer - joint).exp_().unsqueeze(-1))
        output.addcmul_(earlier, (earlier_normalizer - joint).exp_().unsqueeze(-1).to(output.dtype))
        ctx.save_for_backward(query, key, value, output, joint)
        ctx.scale = scale
        return output

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, output, joint = ctx.saved_tensors
        before = key.shape[2] - query.shape[2]

        def of(part: slice, causal: bool) -> tuple[torch.Tensor, ...]:
            keys, values = key[:, :, part], value[:, :, part]
            found = _kernel_backward(gradient, query, keys, values, output, joint, 0.0, causal, scale=ctx.scale)
            return tuple(found)

        to_query, *earlier = of(slice(None, before), causal=False)
        more, *own = of(slice(before, None), causal=True)
        to_key, to_value = (torch.cat(pair, dim=2) for pair in zip(earlier, own, strict=True))
        return to_query.add_(more), to_key, to_value, None


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, mask)
