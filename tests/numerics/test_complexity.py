"""Compute of a model: what is counted, what is named as not counted, and that the model is given back as it was."""

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import TypeVar

import pytest
import timm
import torch
import torchvision
from timm.layers import set_fused_attn
from torch import Tensor, nn
from torch._C import _get_tracing_state

from efficiency360.errors import AxisError
from efficiency360.numerics.complexity import Complexity, count

Made = TypeVar("Made")


class Does(nn.Module):
    """A model that applies a function to its images."""

    def __init__(self, function: Callable[[Tensor], object], *parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)

    def forward(self, images: Tensor) -> object:
        return self.function(images)


def counted(function: Callable[[Tensor], object], *parts: nn.Module) -> Complexity:
    return count(Does(function, *parts), torch.rand(1, 3, 8, 8))


def quietly(make: Callable[[], Made]) -> Made:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def small_vit() -> nn.Module:
    model: nn.Module = quietly(lambda: timm.create_model("test_vit", pretrained=False))
    return model.eval()


def test_fused_and_plain_attention_give_the_same_count() -> None:
    def of(fused: bool) -> Complexity:
        set_fused_attn(fused)
        try:
            return count(small_vit(), torch.rand(1, 3, 160, 160))
        finally:
            set_fused_attn(enable=True)

    fused, plain = of(fused=True), of(fused=False)
    assert "scaled_dot_product_attention" in fused.macs_by_operator
    assert "scaled_dot_product_attention" not in plain.macs_by_operator
    assert (fused.macs, fused.activations) == (plain.macs, plain.activations)


def test_elementwise_work_is_summed_apart_and_integers_are_not_work() -> None:
    assert counted(lambda x: x + 1).elementwise_elements == 192
    assert counted(lambda x: x.mean((2, 3))).elementwise_elements == 192
    assert counted(lambda x: torch.arange(9) + 1 + x.shape[0]).elementwise_elements == 0
    assert counted(lambda x: x.unsqueeze(0).max()).elementwise_elements == 0


def test_nothing_to_count_is_full_coverage_and_no_disagreement() -> None:
    found = counted(lambda x: x)
    assert (found.macs, found.coverage, found.disagreement) == (0, 1, 0)


def test_work_whose_result_nobody_uses_still_ran() -> None:
    def wasteful(images: Tensor) -> Tensor:
        images @ images
        return images

    assert counted(wasteful).macs == 3 * 8 * 8 * 8


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, images: Tensor) -> Tensor:
        del ctx
        return images @ images

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        del ctx
        return gradients[0]


@torch.library.custom_op("e360_test::square", mutates_args=())
def square(images: Tensor) -> Tensor:
    return images @ images


UNCOUNTED: dict[str, Callable[[Tensor], object]] = {
    "aten::fft_fft2": torch.fft.fft2,
    "e360_test::square": square,
    "prim::PythonOp.Square": Square.apply,
    "aten::linalg_svd": torch.linalg.svd,
    "aten::matrix_power": lambda x: torch.matrix_power(x, 3),
    "torchvision::nms": lambda x: torchvision.ops.nms(x[0, 0, :, :4], x[0, 0, 0], 0.5),
    "torchvision::roi_align": lambda x: torchvision.ops.roi_align(x, torch.tensor([[0.0, 0, 0, 4, 4]]), 2),
}


@pytest.mark.parametrize("name", UNCOUNTED)
def test_what_nobody_counts_is_named_and_lowers_the_coverage(name: str) -> None:
    convolution = nn.Conv2d(3, 3, 1)
    found = counted(lambda x: UNCOUNTED[name](convolution(x)), convolution)
    assert found.uncounted_calls[name] == 1
    assert found.coverage < 1
    assert found.macs_by_operator["conv"] == 3 * 3 * 8 * 8


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        result = self.norm(self.convolution(images))
        if images.sum() > 0:
            for _ in range(4):
                result = torch.matmul(result, result).relu()
        return result


def test_a_scripted_part_is_counted_with_the_branch_it_took() -> None:
    script = quietly(lambda: torch.jit.script(Branches().eval()))
    head = nn.Conv2d(3, 5, 1)
    found = count(nn.Sequential(script, head), torch.rand(1, 3, 8, 8))
    assert found.macs == 81 * 64 + 2 * 192 + 4 * 3 * 8**3 + 15 * 64
    assert found.coverage == 1
    assert found.disagreement == 0
    assert not (*script._forward_hooks, *script._forward_pre_hooks)


@pytest.mark.parametrize("compiler", ["script", "trace", "freeze"])
def test_a_whole_torchscript_model_is_counted_as_its_source(compiler: str) -> None:
    model, images = small_vit(), torch.rand(1, 3, 160, 160)
    ways = {
        "script": lambda: torch.jit.script(model),
        "trace": lambda: torch.jit.trace(model, images),
        "freeze": lambda: torch.jit.freeze(torch.jit.script(model)),
    }
    script, source = count(quietly(ways[compiler]), images), count(model, images)
    assert script.macs == source.macs
    assert script.reference_matmul_macs == source.reference_matmul_macs
    assert script.coverage == 1, script.uncounted_calls


def scriptable(images: Tensor) -> Tensor:
    return torch.matmul(images, images)


def test_a_scripted_function_lowers_the_coverage_and_is_named() -> None:
    function = quietly(lambda: torch.jit.script(scriptable))
    found = counted(lambda x: function(x @ x))
    assert found.uncounted_calls == {"prim::CallFunction.scriptable": 1}
    assert found.coverage == 0.5
    assert found.disagreement == 0.5


class Untidy(nn.Module):
    """It draws random numbers, writes to one buffer, swaps another, and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("last", torch.zeros(1))
        self.calls = 0
        self.drop = nn.Dropout()

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        self.seen += 1
        self.last = images.mean().reshape(1)
        return self.drop(images) + torch.rand_like(images)


def test_the_model_runs_once_traced_and_once_not_and_is_left_as_found() -> None:
    model = Untidy().train()
    model.drop.eval()
    handle = model.register_forward_hook(lambda *_: None)
    buffers, state = dict(model.named_buffers()), torch.get_rng_state()
    found = count(model, torch.ones(1, 3, 8, 8))
    assert model.calls == 2
    assert not found.traced_differently
    assert (model.training, model.drop.training) == (True, False)
    assert [*model._forward_hooks] == [handle.id]
    assert not model._forward_pre_hooks
    assert all(buffer is buffers[name] and buffer == 0 for name, buffer in model.named_buffers())
    assert torch.equal(state, torch.get_rng_state())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad, torch.inference_mode])
def test_the_callers_gradient_mode_does_not_matter(mode: Callable[[], torch.no_grad]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2))
    with mode():
        found = count(model, torch.rand(1, 3, 8, 8))
    assert found.macs == 4 * 27 * 36 + 288
    assert found.coverage == 1
    assert found.disagreement == 0


@pytest.mark.parametrize("output", [None, [1], {"a": {"b": 2}}, SimpleNamespace(logits=3), "text"])
def test_any_output_will_do(output: object) -> None:
    def forward(images: Tensor) -> object:
        images @ images
        return output

    assert counted(forward).macs == 3 * 8 * 8 * 8


class Casting(nn.Module):
    """It casts itself, as models trained in mixed precision do, and holds a weight that it never registered."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.weight = torch.ones(6, 5, requires_grad=True)

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16), torch.profiler.record_function("convolution"):
            return self.convolution(images) @ self.weight


def test_mixed_precision_and_unregistered_weights_are_counted() -> None:
    model = Casting()
    found = count(model, torch.rand(1, 3, 8, 8))
    assert found.macs == 4 * 27 * 36 + 4 * 36 * 5
    assert found.coverage == 1
    assert all(weight.requires_grad for weight in model.parameters())


def test_a_compiled_model_is_counted_as_its_source() -> None:
    def compiled() -> nn.Module:
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 1)))
        model[1].compile()
        model[0] = torch.compile(model[0])
        return torch.compile(model)

    model = quietly(compiled)
    parts = [*model.modules()]
    found = count(model, torch.rand(1, 3, 8, 8))
    assert found.macs == 4 * 27 * 36 + 16 * 36
    assert [*model.modules()] == parts
    assert model._orig_mod[1]._compiled_call_impl is not None


def refuses(images: Tensor) -> Tensor:
    if images.mean() < 2:
        raise KeyError("no such\nthing")
    return images


@pytest.mark.parametrize("model", [Does(refuses), nn.Conv2d(4, 4, 1), Does(lambda x: x.view(7))])
def test_a_failing_model_gives_one_clear_line(model: nn.Module) -> None:
    with pytest.raises(AxisError, match=r"cannot count the compute of .* 1x3x8x8") as caught:
        count(model, torch.rand(1, 3, 8, 8))
    assert "\n" not in str(caught.value)
    assert _get_tracing_state() is None
    assert counted(lambda x: x @ x).macs == 3 * 8 * 8 * 8


class _Elsewhere(nn.Module):
    """Weights (64, 100) and (100, 2) that torch is told nothing about."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.listed = torch.rand(64, 100), [torch.rand(100, 2)]
        self.unused = torch.rand(1000)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.plain @ self.listed[0]


def test_weights_that_are_no_parameters_are_counted_apart_where_they_are_used() -> None:
    assert count(_Elsewhere(), torch.rand(1, 1, 8, 8)).unregistered_elements == 6400 + 200
    registered = nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.BatchNorm1d(100))
    assert count(registered, torch.rand(1, 1, 8, 8)).unregistered_elements == 0


def test_an_answer_that_came_from_outside_torch_does_not_follow_the_image() -> None:
    def outside(images: Tensor) -> Tensor:
        return torch.from_numpy(images.numpy().mean(axis=(2, 3))) @ torch.ones(3, 2)

    def in_slots(images: Tensor) -> dict[str, Tensor]:
        answer = torch.zeros(1, 2)
        answer[:, 0] = images.sum()
        return {"logits": answer}

    assert not counted(outside).follows_image
    assert counted(in_slots).follows_image
    assert counted(lambda images: (None, [images.mean() + 1])).follows_image


class Varies(nn.Module):
    """It answers the tracer as `tracer` says, and others as `others` says; each call has a number."""

    def __init__(self, tracer: Callable[[int], float], others: Callable[[int], float]) -> None:
        super().__init__()
        self.tracer, self.others, self.calls = tracer, others, 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return images * (self.tracer if torch.jit.is_tracing() else self.others)(self.calls)


def test_a_model_that_answers_the_tracer_otherwise_is_found() -> None:
    def differs(tracer: Callable[[int], float], others: Callable[[int], float]) -> bool:
        return count(Varies(tracer, others), torch.rand(1, 3, 8, 8)).traced_differently

    assert differs(lambda _: 1.0, lambda _: 2.0)
    assert not differs(lambda _: 1.0, lambda _: 1.0 + 1e-6)
    assert not differs(float, float)


def test_what_cannot_be_traced_is_told_from_what_does_not_run() -> None:
    def rejects_tracing(images: Tensor) -> Tensor:
        if torch.jit.is_tracing():
            raise RuntimeError("not here")
        return images

    with pytest.raises(AxisError, match=r"it runs, but torch's tracer cannot follow it \(RuntimeError: not here\)"):
        counted(rejects_tracing)
    with pytest.raises(AxisError, match=r"its forward pass failed \(KeyError") as caught:
        counted(refuses)
    assert "--input" not in str(caught.value)
