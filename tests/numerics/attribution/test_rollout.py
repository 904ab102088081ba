"""Attention is seen without changing the answers, however it is computed; rollout is what a hand computes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from efficiency360 import zoo
from efficiency360.errors import AxisError
from efficiency360.numerics.attribution import choose
from efficiency360.numerics.attribution.rollout import attention_rollout, rollout
from efficiency360.numerics.attribution.trace import Trace
from efficiency360.zoo.spec import parse_spec
from efficiency360.zoo.turbovit import TurboViT

timm = pytest.importorskip("timm")


class Tiny(nn.Module):
    """One layer of attention with one head among the four pixels of an image of one channel, and a mean."""

    def __init__(self, fused):
        super().__init__()
        self.fused = fused

    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2) * torch.tensor([1.0, 2.0])
        if self.fused:
            mixed = functional.scaled_dot_product_attention(tokens, tokens, tokens)
        else:
            mixed = (tokens @ tokens.transpose(1, 2) / math.sqrt(2)).softmax(dim=-1) @ tokens
        return (tokens + mixed).mean(dim=1)


@pytest.mark.parametrize("fused", [True, False])
def test_a_layer_by_hand(asked, fused):
    pixels = [0.1, 0.9, 0.4, 0.2]
    found = attention_rollout(asked(Tiny(fused)), torch.tensor(pixels).view(1, 1, 2, 2))
    expected = []
    for place in range(4):
        share = 0.0
        for query in pixels:  # tokens are (p, 2 p): their product is 5 p q, over the root of 2
            powers = [math.exp(5 * query * key / math.sqrt(2)) for key in pixels]
            share += 0.5 * powers[place] / sum(powers)
        expected.append((share + 0.5) / 4)
    assert found.flatten().tolist() == pytest.approx(expected, abs=1e-6)
    assert sum(expected) == pytest.approx(1)


def test_two_layers_with_a_class_token_by_hand():
    first = torch.tensor([[[0.2, 0.3, 0.1, 0.2, 0.2]] * 5])
    second = torch.tensor([[[0.6, 0.1, 0.1, 0.1, 0.1]] + [[0.2] * 5] * 4])
    joint = (0.5 * second[0] + 0.5 * torch.eye(5)) @ (0.5 * first[0] + 0.5 * torch.eye(5))
    assert torch.allclose(rollout([first, second], 8, 8)[0].flatten(), joint[0, 1:])


def test_where_tokens_are_merged_each_square_shares_its_token():
    first = torch.eye(16)[None]
    second = torch.zeros(1, 4, 4)
    second[:, :, 3] = 1.0
    found = rollout([first, second], 8, 8)[0]
    assert found.sum() == pytest.approx(1)
    assert torch.allclose(found[2:, 2:], torch.full((2, 2), (0.5 + 0.5 / 4) / 4))
    assert torch.allclose(found[:2], torch.full((2, 4), 0.5 / 4 / 4))


@pytest.mark.parametrize("tokens", [[16, 9], [3]])
def test_tokens_that_are_no_grid_are_refused(tokens):
    with pytest.raises(AxisError):
        rollout([torch.eye(n)[None] for n in tokens], 8, 8)


@pytest.mark.parametrize("fused", [True, False])
def test_the_weights_of_a_timm_transformer_are_those_of_its_own_slow_way(asked, fused):
    module = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2).eval()
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for block in module.blocks:
        block.attn.fused_attn = fused
    before = module(images)
    with torch.no_grad(), Trace(3) as trace:
        answers = module(images)
    assert torch.equal(answers, before)
    assert len(trace.attentions) == 2
    attn = module.blocks[0].attn
    qkv = attn.qkv(module.blocks[0].norm1(module._pos_embed(module.patch_embed(images))))
    query, key, _ = qkv.reshape(3, 5, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
    expected = (query @ key.transpose(-2, -1) * attn.scale).softmax(dim=-1).mean(dim=1)
    assert torch.allclose(trace.attentions[0], expected, atol=1e-5)
    assert choose(asked(module), images[:1], ["auto"])[0] == ["integrated_gradients", "attention_rollout"]


def test_torch_s_own_layer_is_seen_though_its_fast_path_hides_it(asked):
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True).eval()

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x.flatten(2).transpose(1, 2)).mean(dim=1)

    images = torch.rand(2, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), Trace(2) as trace:
        answers = Encoder()(images)
    tokens = images.flatten(2).transpose(1, 2)
    _, expected = layer.self_attn(tokens, tokens, tokens, need_weights=True)
    assert torch.allclose(answers, Encoder()(images), atol=1e-6)
    assert torch.allclose(trace.attentions[0], expected, atol=1e-6)
    assert attention_rollout(asked(Encoder()), images).shape == (2, 3, 3)


def test_masks_scales_and_causal_attention_are_heeded():
    query, key = torch.randn(2, 1, 3, 4, 8, generator=torch.Generator().manual_seed(0))
    value = torch.eye(4).expand(1, 3, 4, 4)
    mask = torch.rand(4, 4, generator=torch.Generator().manual_seed(1)) > 0.3
    mask |= torch.eye(4, dtype=torch.bool)
    for how in ({"is_causal": True}, {"attn_mask": mask}, {"scale": 0.7}, {"attn_mask": mask.float()}):
        with torch.no_grad(), Trace(1) as trace:
            answer = functional.scaled_dot_product_attention(query, key, value, **how)
        assert torch.allclose(trace.attentions[0], answer.mean(dim=1), atol=1e-6)


def test_attention_within_windows_has_no_rollout(asked):
    class Windows(nn.Module):
        def forward(self, x):
            tokens = x.reshape(len(x) * 4, 4, -1)
            mixed = functional.scaled_dot_product_attention(tokens, tokens, tokens)
            return mixed.reshape(len(x), -1)[:, :3]

    images = torch.rand(1, 1, 8, 8)
    found, lacking = choose(asked(Windows()), images, ["auto", "attention_rollout"])
    assert found == ["integrated_gradients"]
    assert "among all tokens" in lacking["attention_rollout"]


def attended(plane):
    tokens = plane.flatten(2).transpose(1, 2)
    mixed = functional.scaled_dot_product_attention(tokens, tokens, tokens)
    return (tokens + mixed).transpose(1, 2).reshape(plane.shape)


class TwoGrids(nn.Module):
    """Attention among 8 x 8 places, whose 2 x 2 squares are merged, and among the 4 x 4 that are left."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 4, stride=4)
        self.merge = nn.Conv2d(8, 8, 2, stride=2)

    def forward(self, x):
        return attended(self.merge(attended(self.stem(x)))).mean(dim=(2, 3))


def test_two_grids_become_one_map(asked):
    torch.manual_seed(0)
    found = attention_rollout(asked(TwoGrids().eval()), torch.rand(2, 1, 32, 32))
    assert found.shape == (2, 32, 32)
    assert torch.allclose(found.mean(dim=(1, 2)) * 64, torch.ones(2), atol=0.2)


def test_a_turbovit_whose_tokens_are_unit_by_unit_has_no_rollout(asked):
    torch.manual_seed(0)
    model = asked(zoo.create("digits_transformer").eval())
    found, lacking = choose(model, torch.rand(1, 1, 32, 32), ["auto", "attention_rollout"])
    assert found == ["integrated_gradients"]
    assert "not in the order of the image's rows" in lacking["attention_rollout"]


@pytest.mark.parametrize(("unit", "works"), [(4, True), (2, False)])
def test_a_turbovit_of_global_attention_has_a_rollout_only_where_its_tokens_are_in_rows(asked, unit, works):
    stage = {"depth": 1, "width": 8, "heads": 1, "attention": "global"}
    stem = {"kernel": 2, "stride": 2, "padding": 0}
    spec = parse_spec({"channels": 1, "size": 8, "classes": 2, "unit": unit, "stem": stem, "stages": [stage]}, "spec")
    found, _ = choose(asked(TurboViT(spec).eval()), torch.rand(1, 1, 8, 8), ["auto", "attention_rollout"])
    assert ("attention_rollout" in found) == works
