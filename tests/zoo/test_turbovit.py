"""TurboViTs: what their modules compute, against timm's Hiera, published sizes and plain loops."""

from __future__ import annotations

import warnings

import opacus
import pytest
import torch
from opacus.validators import ModuleValidator
from timm.models.hiera import Hiera
from torch.nn import functional

from efficiency360 import zoo
from efficiency360.errors import InputError
from efficiency360.numerics.complexity import count
from efficiency360.zoo.hiera import from_hiera
from efficiency360.zoo.spec import load_spec, parse_spec
from efficiency360.zoo.turbovit import Block, TurboViT, pooled, resized, unrolled

TINY = "turbovit_tiny"


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny():
    return shaken(zoo.create(TINY).eval())


def shaken(model):
    """Weights so large that every part of the model shows in its answers."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return model


def stages(depths, width, attention):
    return [
        {
            "depth": depth,
            "width": width * 2**index,
            "heads": 2**index,
            "attention": kinds,
            "pool": index > 0,
        }
        for index, (depth, kinds) in enumerate(zip(depths, attention, strict=True))
    ]


HIERAS = {
    "turbovit_base at 96 x 64": (
        load_spec("turbovit_base").adapted(size=(96, 64)),
        {"embed_dim": 64, "stages": (1, 2, 7, 2), "img_size": (96, 64)},
    ),
    "every block global": (
        parse_spec({"size": 64, "classes": 7, "stages": stages((1, 1, 2, 1), 16, ["global"] * 4)}, "all of them"),
        {
            "embed_dim": 16,
            "stages": (1, 1, 2, 1),
            "img_size": (64, 64),
            "num_classes": 7,
            "mask_unit_attn": (False,) * 4,
        },
    ),
    "every block in units of 4": (
        parse_spec({"size": [32, 64], "unit": 4, "stages": stages((2, 1, 2), 24, ["units"] * 3)}, "none of them"),
        {
            "embed_dim": 24,
            "stages": (2, 1, 2),
            "img_size": (32, 64),
            "q_pool": 2,
            "mask_unit_size": (4, 4),
            "mask_unit_attn": (True,) * 3,
        },
    ),
}


@pytest.mark.parametrize("name", HIERAS)
@torch.no_grad()
def test_with_the_same_weights_it_answers_as_timms_hiera(name):
    spec, options = HIERAS[name]
    oracle = shaken(Hiera(num_heads=1, **options).eval())
    ours = TurboViT(spec).eval()
    ours.load_state_dict(from_hiera(oracle.state_dict(), spec.grid))
    images = torch.randn(2, 3, *spec.size)
    wanted = oracle(images)
    assert wanted.abs().max() > 1
    assert (ours(images) - wanted).abs().max() < 1e-4


def test_weights_that_are_no_plain_hieras_are_refused():
    spec, options = HIERAS["every block in units of 4"]
    windowed = Hiera(num_heads=1, abs_win_pos_embed=True, **options).state_dict()
    with pytest.raises(InputError, match=r"'pos_embed.*no weight of a Hiera with plain positions"):
        from_hiera(windowed, spec.grid)
    with pytest.raises(InputError, match="128 tokens, not 4 x 4"):
        from_hiera(Hiera(num_heads=1, **options).state_dict(), (4, 4))


@pytest.mark.parametrize(
    ("name", "parameters_m", "gmacs"),
    [
        ("turbovit_base", 12.66, 2.25),
        ("hiera_tiny", 27.91, 4.91),
        ("hiera_small", 35.01, 6.42),
        pytest.param("hiera_base", 51.52, 9.40, marks=pytest.mark.slow),
    ],
)
def test_sizes_are_the_published_ones(name, parameters_m, gmacs):
    model = zoo.create(name).eval()
    found = count(model, torch.rand(1, 3, 224, 224))
    assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(parameters_m, abs=0.005)
    assert found.macs / 1e9 == pytest.approx(gmacs, abs=0.006)
    assert found.coverage == 1


@pytest.mark.parametrize(("unit", "pools"), [(4, 2), (8, 3), (6, 1), (4, 0)])
def test_pooled_tokens_are_those_of_the_pooled_image(unit, pools):
    image = torch.randn(2, 2 * unit, 3 * unit, 5)
    tokens, plane = unrolled(image, unit, pools), image.permute(0, 3, 1, 2)
    for after in range(pools, 0, -1):
        tokens, plane = pooled(tokens, 6), functional.max_pool2d(plane, 2)
        side = plane.shape[2] // 2
        assert torch.equal(tokens, unrolled(plane.permute(0, 2, 3, 1), side, after - 1))


@pytest.mark.parametrize("pool", [False, True])
@torch.no_grad()
def test_attention_stays_inside_units_where_it_should_and_only_there(pool):
    content = {"size": [16, 24], "unit": 2, "stages": [{"depth": 1, "width": 8, "heads": 2, "pool": pool}]}
    for kind, reaches in (("units", False), ("global", True)):
        content["stages"][0]["attention"] = kind
        spec = parse_spec(content, kind)
        block = shaken(Block(spec.blocks[0], spec.units))
        plane = torch.randn(1, 4, 6, 8)
        moved = plane.clone()
        moved[0, 3, 4] = 3 * torch.randn(8)  # in the last of 2 x 3 units
        before, after = (block(unrolled(one, 2, int(pool))).unflatten(1, (6, -1)) for one in (plane, moved))
        changed = (before != after).flatten(2).any(dim=2)[0]
        assert changed.tolist() == [*[reaches] * 5, True]


@torch.no_grad()
def test_widths_may_fall_and_grow_from_block_to_block(tiny):
    widths = [(block.width_in, block.width) for block in tiny.spec.blocks]
    assert widths == [(32, 32), (32, 24), (24, 48), (48, 64)]
    assert tiny(torch.rand(3, 3, 32, 32)).shape == (3, 10)
    assert tiny.features(torch.rand(3, 3, 32, 32)).shape == (3, 64)
    assert tiny(torch.rand(0, 3, 32, 32)).shape == (0, 10)


def test_another_image_size_is_a_clear_error(tiny):
    with pytest.raises(ValueError, match="images of 64x32 pixels for a model of 32x32"):
        tiny(torch.rand(1, 3, 64, 32))
    with pytest.raises(ValueError, match="4x4"):  # its one token would be broadcast
        tiny(torch.rand(1, 3, 4, 4))


@torch.no_grad()
def test_weights_of_another_size_are_refused_until_their_positions_are_interpolated(tiny):
    spec = tiny.spec.adapted(size=(64, 48))
    larger, state = TurboViT(spec).eval(), tiny.state_dict()
    with pytest.raises(RuntimeError, match=r"positions\.embedding"):
        larger.load_state_dict(state)
    state["positions.embedding"] = torch.arange(8.0).view(8, 1, 1).expand(8, 8, 32)
    larger.load_state_dict(resized(state, spec))
    ramp = larger.positions.embedding[:, 0, 0]
    torch.testing.assert_close(ramp[2:-2], (torch.arange(16.0) / 2 - 0.25)[2:-2], atol=0.05, rtol=0)
    same = resized(tiny.state_dict(), tiny.spec)["positions.embedding"]
    torch.testing.assert_close(same, tiny.positions.embedding)


@torch.no_grad()
def test_an_exported_program_agrees_at_another_batch_size(tiny):
    images = torch.rand(5, 3, 32, 32)
    exported = torch.export.export(tiny, (images[:2],), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    torch.testing.assert_close(exported(images), tiny(images), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@torch.no_grad()
def test_a_traced_model_agrees_at_another_batch_size(tiny):
    images = torch.rand(5, 3, 32, 32)
    torch.testing.assert_close(torch.jit.trace(tiny, images[:2])(images), tiny(images), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_compiled_model_agrees_and_breaks_no_graph(tiny):  # with machine code in benchmarks/turbovit.py
    images = torch.rand(2, 3, 32, 32)
    compiled = torch.compile(tiny, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(images), tiny(images), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@torch.no_grad()
def test_onnxruntime_agrees_at_another_batch_size(tiny, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    images, path = torch.rand(5, 3, 32, 32), tmp_path / "tiny.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tiny, (images[:2],), path, dynamo=True, verbose=False, dynamic_shapes=({0: torch.export.Dim("batch")},)
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), tiny(images), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:Full backward hook:UserWarning")
def test_opacus_finds_the_gradient_of_every_image(tiny):
    assert ModuleValidator.validate(tiny.train(), strict=False) == []
    images, labels = torch.rand(3, 3, 32, 32), torch.tensor([0, 3, 9])
    alone = []
    for image, label in zip(images, labels, strict=True):
        loss = functional.cross_entropy(tiny(image[None]), label[None])
        alone.append(torch.autograd.grad(loss, list(tiny.parameters())))
    watched = opacus.GradSampleModule(tiny, loss_reduction="sum")
    functional.cross_entropy(watched(images), labels, reduction="sum").backward()
    for (name, parameter), *wanted in zip(tiny.named_parameters(), *alone, strict=True):
        torch.testing.assert_close(parameter.grad_sample, torch.stack(wanted), rtol=1e-4, atol=1e-5, msg=name)
