"""Our forward and backward of LoRA against peft's own, on the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.layer import Linear
from torch import nn

from studio.training.lora_linear import LoraLinear

_SHAPE = (2, 7, 24)


def layer_of(kind: type[nn.Module], dtype: torch.dtype = torch.float32, *, bias: bool = True, **options: Any) -> Any:
    """A layer of 24 inputs and 40 outputs with an adapter on it, the same values every time."""
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=6, target_modules=["0"], init_lora_weights=False, **options)
    config._register_custom_module({nn.Linear: kind})
    model = get_peft_model(nn.Sequential(nn.Linear(24, 40, bias=bias)), config)
    model.base_model.model[0].base_layer.to(dtype)
    found = model.base_model.model[0]
    assert type(found) is kind
    return found


def results(layer: Any, dtype: torch.dtype) -> list[torch.Tensor]:
    """The output, and the gradients of the input and of the two matrices."""
    torch.manual_seed(2)
    x = torch.randn(_SHAPE).to(dtype).requires_grad_()
    output = layer(x)
    output.backward(torch.randn_like(output))
    return [output, *[one.grad for one in (x, layer.lora_A["default"].weight, layer.lora_B["default"].weight)]]


def saved_bytes(layer: Any, dtype: torch.dtype) -> int:
    """What a forward pass keeps for the backward pass, besides the layer's own weights."""
    own = {parameter.data_ptr() for parameter in layer.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = layer(torch.randn(_SHAPE).to(dtype).requires_grad_())
    assert output.requires_grad
    return sum(kept.values())


@pytest.mark.parametrize("bias", [True, False])
def test_output_and_gradients_are_those_of_peft(bias: bool) -> None:
    ours, theirs = (results(layer_of(kind, bias=bias), torch.float32) for kind in (LoraLinear, Linear))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)


def test_in_bfloat16_they_differ_by_its_rounding_alone() -> None:
    ours, theirs = (results(layer_of(kind, torch.bfloat16), torch.bfloat16) for kind in (LoraLinear, Linear))
    assert [one.dtype for one in ours] == [torch.bfloat16, torch.bfloat16, torch.float32, torch.float32]
    for mine, other in zip(ours, theirs, strict=True):
        difference = (mine.detach().float() - other.detach().float()).norm() / other.detach().float().norm()
        assert float(difference) < 0.01  # 8 bits: 2^-8 is 0.004


def test_nothing_is_kept_twice_for_the_backward_pass() -> None:
    rows, inputs = _SHAPE[0] * _SHAPE[1], _SHAPE[2]
    needed = rows * (inputs + 4) * 2  # the input and its product with A
    ours, theirs = (saved_bytes(layer_of(kind, torch.bfloat16), torch.bfloat16) for kind in (LoraLinear, Linear))
    assert ours == needed
    assert theirs == 2 * needed  # both in float32


def test_the_gradient_is_the_derivative() -> None:
    layer = layer_of(LoraLinear).double()
    x = torch.randn(1, 3, 24, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda one, *_: layer(one), (x, *layer.lora_A.parameters(), *layer.lora_B.parameters())
    )


@pytest.mark.parametrize("options", [{"use_dora": True}, {"lora_dropout": 0.5}])
def test_what_is_not_plain_lora_is_left_to_peft(options: dict[str, Any]) -> None:
    ours, theirs = (results(layer_of(kind, **options), torch.float32) for kind in (LoraLinear, Linear))
    assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))


def test_a_disabled_or_merged_adapter_is_left_to_peft() -> None:
    layer, x = layer_of(LoraLinear), torch.randn(_SHAPE)
    adapted = layer(x)
    layer.merge()
    torch.testing.assert_close(layer(x), adapted, rtol=1e-5, atol=1e-5)
    layer.unmerge()
    layer.enable_adapters(False)
    assert torch.equal(layer(x), layer.base_layer(x))
