"""Compute of one operator or layer at a time against its closed form."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch._ops import OpOverloadPacket
from torch.nn import functional

from efficiency360.numerics.complexity import Complexity, count
from efficiency360.numerics.flop_einsum import chain_macs
from efficiency360.numerics.flop_operators import ELEMENTWISE, MOVEMENT, PLUMBING, REDUCTIONS
from efficiency360.numerics.flop_table import HANDLES


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


ONE_BY_FIVE = torch.ones(5)
CLOSED_FORMS: dict[str, tuple[Callable[[Tensor], object], int]] = {
    "matmul": (lambda x: x[0, 0] @ x[0, 0], 8 * 8 * 8),
    "matmul, second batch larger": (lambda x: x[0] @ torch.ones(5, 3, 8, 2), 5 * 3 * 8 * 8 * 2),
    "matmul, both broadcast": (lambda x: x.reshape(3, 1, 8, 8) @ torch.ones(5, 8, 2), 3 * 5 * 8 * 8 * 2),
    "vector by matrices": (lambda x: x[0, 0, 0] @ x, 3 * 8 * 8),
    "matrices by vector": (lambda x: x @ x[0, 0, 0], 3 * 8 * 8),
    "vector by vector": (lambda x: x[0, 0, 0] @ x[0, 0, 1], 8),
    "mv": (lambda x: torch.mv(x[0, 0], x[0, 0, 0]), 8 * 8),
    "dot": (lambda x: torch.dot(x[0, 0, 0], x[0, 0, 0]), 8),
    "mm": (lambda x: torch.mm(x[0, 0], x[0, 0]), 8 * 8 * 8),
    "addmm": (lambda x: torch.addmm(x[0, 0, 0], x[0, 0], x[0, 0]), 8 * 8 * 8),
    "addmm in place": (lambda x: torch.zeros(8, 8).addmm_(x[0, 0], x[0, 0]), 8 * 8 * 8),
    "addmv": (lambda x: torch.addmv(x[0, 0, 0], x[0, 0], x[0, 0, 0]), 8 * 8),
    "bmm": (lambda x: torch.bmm(x[0], x[0]), 3 * 8 * 8 * 8),
    "baddbmm": (lambda x: torch.baddbmm(x[0], x[0], x[0]), 3 * 8 * 8 * 8),
    "addbmm": (lambda x: torch.addbmm(x[0, 0], x[0], x[0]), 3 * 8 * 8 * 8),
    "outer": (lambda x: torch.outer(x[0, 0, 0], ONE_BY_FIVE), 8 * 5),
    "inner": (lambda x: torch.inner(x, ONE_BY_FIVE.new_ones(2, 8)), 3 * 8 * 2 * 8),
    "vecdot": (lambda x: torch.linalg.vecdot(x, x), 3 * 8 * 8),
    "tensordot": (lambda x: torch.tensordot(x, torch.ones(8, 8, 5), dims=([2, 3], [0, 1])), 3 * 8 * 8 * 5),
    "multi_dot": (lambda x: torch.linalg.multi_dot([x[0, 0], x[0, 0], torch.ones(8, 1)]), 2 * 8 * 8),
    "einsum": (lambda x: torch.einsum("bchw,cd->bdhw", x, torch.ones(3, 5)), 3 * 8 * 8 * 5),
    "einsum, implicit": (lambda x: torch.einsum("ij,jk", x[0, 0], torch.ones(8, 5)), 8 * 8 * 5),
    "einsum, ellipsis": (lambda x: torch.einsum("...ij,...jk->...ik", x, torch.ones(4, 1, 8, 5)), 4 * 3 * 8 * 8 * 5),
    "einsum, outer": (lambda x: torch.einsum("chw,k->chwk", x[0], ONE_BY_FIVE), 3 * 8 * 8 * 5),
    "einsum, one operand": (lambda x: torch.einsum("bchw->bhwc", x), 0),
    "einsum, three operands": (
        lambda x: torch.einsum("ij,jk,kl->il", x[0, 0], torch.ones(8, 2), torch.ones(2, 5)),
        8 * 8 * 2 + 8 * 2 * 5,
    ),
    "linear": (lambda x: functional.linear(x, torch.ones(5, 8)), 3 * 8 * 8 * 5),
    "bilinear": (lambda x: functional.bilinear(x, x, torch.ones(5, 8, 8)), 3 * 8 * 5 * 8 * (8 + 1)),
    "conv1d": (lambda x: functional.conv1d(x[0], torch.ones(5, 8, 3)), 3 * 5 * 8 * 3 * 6),
    "conv2d": (lambda x: functional.conv2d(x, torch.ones(5, 3, 3, 3), stride=2), 3 * 3 * 5 * 3 * 3 * 3),
    "conv2d, unbatched": (lambda x: functional.conv2d(x[0], torch.ones(5, 3, 3, 3)), 5 * 3 * 3 * 3 * 6 * 6),
    "conv2d, same": (lambda x: functional.conv2d(x, torch.ones(5, 3, 3, 3), padding="same"), 5 * 3 * 3 * 3 * 8 * 8),
    "conv2d, depthwise": (lambda x: functional.conv2d(x, torch.ones(6, 1, 3, 3), groups=3), 6 * 3 * 3 * 6 * 6),
    "conv3d": (lambda x: functional.conv3d(x[None], torch.ones(5, 1, 2, 3, 3)), 5 * 1 * 2 * 3 * 3 * 2 * 6 * 6),
    "transposed": (lambda x: functional.conv_transpose2d(x, torch.ones(3, 5, 2, 2), stride=2), 3 * 5 * 2 * 2 * 8 * 8),
    "transposed, grouped": (
        lambda x: functional.conv_transpose2d(x, torch.ones(3, 2, 3, 3), groups=3),
        3 * 2 * 3 * 3 * 8 * 8,
    ),
    "attention": (lambda x: functional.scaled_dot_product_attention(x, x, x), 3 * 8 * 8 * (8 + 8)),
    "attention, causal": (
        lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=True),
        3 * 8 * 8 * (8 + 8),
    ),
    "attention, wide values": (
        lambda x: functional.scaled_dot_product_attention(x, x[..., :5, :], torch.ones(1, 3, 5, 20)),
        3 * 8 * 5 * (8 + 20),
    ),
    "attention, grouped heads": (
        lambda x: functional.scaled_dot_product_attention(x.repeat(1, 2, 1, 1), x, x, enable_gqa=True),
        6 * 8 * 8 * (8 + 8),
    ),
    "attention, no heads": (lambda x: functional.scaled_dot_product_attention(x[0], x[0], x[0]), 3 * 8 * 8 * (8 + 8)),
    "cdist": (lambda x: torch.cdist(x, x), 3 * 8 * 8 * 8),
    "batch_norm": (lambda x: functional.batch_norm(x, torch.zeros(3), torch.ones(3)), 3 * 8 * 8),
    "batch_norm of its own": (lambda x: functional.batch_norm(x, None, None, torch.ones(3), training=True), 5 * 192),
    "layer_norm": (lambda x: functional.layer_norm(x, (8,), torch.ones(8)), 5 * 192),
    "layer_norm of a vector": (lambda x: functional.layer_norm(x[0, 0, 0], (8,)), 4 * 8),
    "group_norm": (lambda x: functional.group_norm(x, 3), 4 * 192),
    "instance_norm": (functional.instance_norm, 4 * 192),
    "rms_norm": (lambda x: functional.rms_norm(x, (8,), torch.ones(8)), 4 * 192),
    "adaptive_avg_pool2d": (lambda x: functional.adaptive_avg_pool2d(x, 1), 192),
    "bilinear upsampling": (lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear"), 4 * 4 * 192),
    "nearest upsampling": (lambda x: functional.interpolate(x, scale_factor=2), 4 * 192),
    "bicubic upsampling": (lambda x: functional.interpolate(x, scale_factor=2, mode="bicubic"), 16 * 4 * 192),
    "antialiased reduction": (
        lambda x: functional.interpolate(x, (4, 4), mode="bilinear", antialias=True),
        4 * 4 * 3 * 4 * 4,
    ),
    "grid_sample": (lambda x: functional.grid_sample(x, torch.zeros(1, 4, 4, 2), align_corners=False), 4 * 3 * 16),
    "affine_grid": (lambda _: functional.affine_grid(torch.ones(1, 2, 3), [1, 3, 4, 4], align_corners=False), 16 * 6),
    "deform_conv2d": (
        lambda x: torchvision.ops.deform_conv2d(x, torch.zeros(1, 18, 6, 6), torch.ones(5, 3, 3, 3)),
        5 * 3 * 3 * 3 * 6 * 6,
    ),
    "roi_align": (
        lambda x: torchvision.ops.roi_align(x, torch.tensor([[0.0, 0, 0, 4, 4]]), 2, sampling_ratio=2),
        3 * 2 * 2 * 4 * 4,
    ),
    "arithmetic only": (lambda x: (x * 2 + 1).softmax(-1).relu().mean(), 0),
    "movement only": (lambda x: x.permute(0, 2, 3, 1).flatten(1).chunk(2)[0].max(), 0),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_an_operator_matches_its_closed_form(name: str) -> None:
    function, macs = CLOSED_FORMS[name]
    found = counted(function)
    assert found.macs == macs
    assert found.coverage == 1, found.uncounted_calls
    assert found.disagreement == 0


def test_a_transformer_layer_matches_its_closed_form_although_torch_would_fuse_it() -> None:
    tokens, width, hidden = 64, 32, 48
    layer = nn.TransformerEncoderLayer(width, 4, hidden, batch_first=True).eval()
    model = nn.Sequential(nn.Conv2d(3, width, 1), nn.Flatten(2), Does(lambda x: layer(x.transpose(1, 2)), layer)).eval()
    found = count(model, torch.rand(1, 3, 8, 8))
    projections, attention = 4 * tokens * width**2, 2 * tokens**2 * width
    norms = 2 * 5 * tokens * width
    assert found.macs == 3 * width * 64 + projections + attention + 2 * tokens * width * hidden + norms
    assert found.coverage == 1
    assert found.disagreement == 0
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize(
    ("cell", "gates", "options"),
    [
        (nn.LSTM, 4, {}),
        (nn.GRU, 3, {}),
        (nn.RNN, 1, {}),
        (partial(nn.RNN, nonlinearity="relu"), 1, {"bidirectional": True}),
        (nn.LSTM, 4, {"num_layers": 2, "bidirectional": True}),
        (nn.GRU, 3, {"num_layers": 3, "batch_first": True}),
    ],
)
def test_a_recurrent_layer_matches_its_closed_form(
    cell: Callable[..., nn.Module], gates: int, options: dict[str, int]
) -> None:
    layer = cell(8, 5, **options)
    found = counted(lambda x: layer(x[0]), layer)
    directions = 2 if options.get("bidirectional") else 1
    widths = [8, *[5 * directions] * options.get("num_layers", 1)]
    each_step = sum(directions * gates * 5 * (width + 5) for width, _ in pairwise(widths))
    assert found.macs == 3 * 8 * each_step
    assert found.disagreement == 0


def test_a_projected_lstm_counts_its_projection() -> None:
    layer = nn.LSTM(8, 6, proj_size=2)
    found = counted(lambda x: layer(x[0]), layer)
    assert found.macs == 3 * 8 * (4 * 6 * 8 + 4 * 6 * 2 + 6 * 2)


def test_cells_are_counted_by_their_parts() -> None:
    cell = nn.LSTMCell(8, 5)
    assert counted(lambda x: cell(x[0, 0]), cell).macs == 8 * 4 * 5 * (8 + 5)


def test_a_chain_of_matrices_takes_the_cheapest_order() -> None:
    # Cormen et al., Introduction to Algorithms, figure 15.5
    sides = [30, 35, 15, 5, 10, 20, 25]
    assert chain_macs([list(pair) for pair in pairwise(sides)]) == 15125
    assert chain_macs([[8], [8, 8], [8]]) == 8 * 8 + 8
    with pytest.raises(ValueError, match="not a chain"):
        chain_macs([[2, 3], [4, 5]])


def test_every_pointwise_operator_of_torch_has_its_place() -> None:
    placed = ELEMENTWISE | REDUCTIONS | MOVEMENT | {name.removeprefix("aten::") for name in HANDLES}
    pointwise = {
        name.removesuffix("_")
        for name, packet in ((name, getattr(torch.ops.aten, name)) for name in dir(torch.ops.aten))
        if isinstance(packet, OpOverloadPacket) and not name.startswith("_") and "_backward" not in name
        for overload in packet.overloads()
        if torch.Tag.pointwise in getattr(packet, overload).tags
    }
    exotic = {name for name in pointwise if name.startswith("special_")}
    assert pointwise - exotic <= placed


def test_no_operator_is_in_two_lists() -> None:
    lists = [ELEMENTWISE, REDUCTIONS, MOVEMENT, PLUMBING, frozenset(name.removeprefix("aten::") for name in HANDLES)]
    assert sum(map(len, lists)) == len(frozenset().union(*lists))
