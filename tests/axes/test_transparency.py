"""Transparency on models of which it is known what their answers depend on, and with maps that cannot be trusted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import efficiency360
from efficiency360.axes import make_axis
from efficiency360.dataset import from_arrays
from efficiency360.errors import AxisError, InputError
from efficiency360.numerics.attribution import methods

SIDE, N = 16, 40
QUICK = {"steps": 8, "grid": 8, "path_steps": 4, "checked": 10, "draws": 2}
METHODS = "integrated_gradients", "grad_cam", "attention_rollout", "occlusion"


class Blobs(nn.Module):
    """Three classes by which corner is bright: a convolution, and a head that was fitted to it."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 3, 4, stride=4, bias=False)
        self.head = nn.Linear(48, 3)
        weight = torch.full((3, 3, 4, 4), -0.5)
        weight[0, :, :2, :2], weight[1, :, :2, 2:], weight[2, :, 2:, :2] = 1.0, 1.0, 1.0
        with torch.no_grad():
            noise = torch.rand(self.convolution.weight.shape, generator=torch.Generator().manual_seed(0))
            self.convolution.weight.copy_(0.5 + noise)
            self.head.weight.copy_(weight.flatten(1) / 8)
            self.head.bias.zero_()

    def forward(self, x):
        return self.head(torch.relu(self.convolution(x)).flatten(1))


class Fixed(nn.Module):
    """The same answers from numbers that are no parameters; it has parameters that do nothing."""

    def __init__(self):
        super().__init__()
        self.inner = [Blobs()]
        self.idle = nn.Linear(8, 8)

    def forward(self, x):
        return self.inner[0](x)


@pytest.fixture(scope="module")
def data():
    """Faint noise with a bright corner, no two alike."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 3
    images = rng.uniform(0, 0.3, (N, SIDE, SIDE)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        top, left = ((1, 1), (1, 9), (9, 1))[label] + rng.integers(0, 2, 2)
        image[top : top + 5, left : left + 5] += 0.6
    return from_arrays(images, labels)


def transparency(module, data, **settings):
    settings = {"transparency": {**QUICK, **settings}}
    card = efficiency360.audit(
        module, data, axes=["accuracy", "transparency"], settings=settings, input=(1, SIDE, SIDE), threads=1
    )
    return card.axis("transparency")


def numbers(record, name):
    return {one.params["method"]: one for one in record.measurements if one.name == f"transparency.{name}"}


def caveats(record):
    return {caveat.id.partition(".")[2]: caveat for caveat in record.caveats}


class TestHonestModels:
    def test_maps_of_a_model_that_looks_at_corners_beat_chance_and_depend_on_its_weights(self, data):
        record = transparency(Blobs(), data)
        assert record.status == "measured", record.reason
        assert set(numbers(record, "deletion_auc")) == {"integrated_gradients", "grad_cam"}
        for name in ("deletion_gain", "insertion_gain"):
            assert numbers(record, name)["integrated_gradients"].interval.low > 0
        assert numbers(record, "randomisation_similarity")["integrated_gradients"].interval.high < 0.5
        assert "no_explanation" not in caveats(record)

    def test_gains_are_paired_differences_to_the_random_orders(self, data):
        record = transparency(Blobs(), data)
        (random,) = [one for one in record.measurements if one.name == "transparency.random_auc"]
        for method, gain in numbers(record, "deletion_gain").items():
            assert gain.value == pytest.approx(random.value - numbers(record, "deletion_auc")[method].value)
            assert gain.n == random.n == N

    def test_passes_are_those_of_the_method(self, data):
        found = numbers(transparency(Blobs(), data, methods=["auto", "occlusion"]), "extra_passes")
        expected = {"integrated_gradients": 8, "grad_cam": 2, "occlusion": 17}
        assert {method: one.value for method, one in found.items()} == expected

    def test_batches_and_the_number_of_images_do_not_change_an_image_s_numbers(self, data):
        few, many = (transparency(Blobs(), data, batch_size=size, images=20) for size in (3, 64))
        for one, other in zip(few.measurements, many.measurements, strict=True):
            assert one.value == pytest.approx(other.value, abs=1e-4)

    def test_without_labels_it_is_measured_too(self, data):
        bare = from_arrays(data.arrays)
        card = efficiency360.audit(
            Blobs(), bare, axes=["transparency"], settings={"transparency": QUICK}, input=(1, SIDE, SIDE), threads=1
        )
        assert card.axis("transparency").status == "measured"


class TestPlantedDefects:
    def test_a_constant_map_is_no_better_than_chance(self, data, monkeypatch):
        flat = methods.Method(lambda _m, images, _c, _h: images.new_ones(images[:, 0].shape), lambda _m, _i: "")
        monkeypatch.setitem(methods.METHODS, "grad_cam", flat)
        record = transparency(Blobs(), data, methods=["grad_cam"])
        for name in ("deletion_gain", "insertion_gain"):
            interval = numbers(record, name)["grad_cam"].interval
            assert interval.low <= 0
        found = caveats(record)
        assert {"no_better_than_random", "empty_maps", "ignores_weights"} <= set(found) or "worse_than_random" in found
        assert found["no_explanation"].severity == "critical"

    def test_an_edge_detector_ignores_the_weights(self, data, monkeypatch):
        def edges(_model, images, _classes, _how):
            return images[:, 0].diff(dim=2, append=images[:, 0, :, -1:]).abs()

        monkeypatch.setitem(methods.METHODS, "grad_cam", methods.Method(edges, lambda _m, _i: ""))
        record = transparency(Blobs(), data, methods=["grad_cam", "integrated_gradients"])
        assert numbers(record, "randomisation_similarity")["grad_cam"].value == pytest.approx(1)
        (said,) = [one.text for one in record.caveats if one.id == "transparency.ignores_weights"]
        assert said.startswith("grad_cam hardly changes")

    def test_a_model_whose_answers_do_not_come_from_its_weights_is_found_out(self, data):
        record = transparency(Fixed(), data)
        alike = [one.value for one in numbers(record, "randomisation_similarity").values()]
        assert alike == pytest.approx([1, 1])
        assert caveats(record)["no_explanation"].severity == "critical"

    def test_a_model_without_gradients_gets_occlusion_only(self, data):
        class Detached(Blobs):
            def forward(self, x):
                return super().forward(x).detach()

        record = transparency(Detached(), data)
        assert set(numbers(record, "deletion_auc")) == {"occlusion"}
        assert "as far as gradients can tell" in caveats(record)["left_out"].text
        assert numbers(record, "deletion_gain")["occlusion"].interval.low > 0

    def test_probabilities_and_a_baseline_that_keeps_the_class_are_named(self, data):
        class Sure(Blobs):
            def forward(self, x):
                return (super().forward(x) * 0 + torch.tensor([9.0, 0.0, 0.0])).softmax(dim=1)

        assert {"probabilities", "baseline", "saturated"} <= set(caveats(transparency(Sure(), data)))

    def test_a_model_that_answers_nan_fails(self, data):
        class Broken(Blobs):
            def forward(self, x):
                return super().forward(x) / 0 * 0

        record = transparency(Broken(), data)
        assert record.status == "failed"
        assert "NaN" in record.reason


class TestEvidence:
    """What the worker says is held against itself and the answers that were given before."""

    def evidence(self, **changed):
        rng = np.random.default_rng(0)
        outputs = np.eye(2, dtype=np.float32)[np.arange(6) % 2] * 3
        fields = {
            "accuracy.logits": outputs,
            "methods": np.array(["occlusion"]),
            "lacking": np.array([], np.str_),
            "explained": np.arange(6),
            "outputs": outputs,
            "baseline_outputs": np.zeros((6, 2), np.float32),
            "maps": rng.normal(size=(6, 1, 4, 4)),
            "sums": np.ones((6, 1)),
            "deletion": np.full((6, 1, 3), 0.6),
            "insertion": np.full((6, 1, 3), 0.9),
            "random": np.full((6, 2, 3), 0.8),
            "passes": np.ones((6, 1, 2)),
        }
        return {name: value for name, value in {**fields, **changed}.items() if value is not None}

    def measure(self, **changed):
        return make_axis("transparency", {}).measure(self.evidence(**changed), None)

    def test_the_area_is_that_of_the_trapezoids_between_the_ends(self):
        found = {one.name: one.value for one in self.measure().measurements}
        clean = float(np.exp(3) / (np.exp(3) + 1))
        assert found["transparency.deletion_auc"] == pytest.approx((clean / 2 + 3 * 0.6 + 0.25) / 4)
        assert found["transparency.insertion_auc"] == pytest.approx((0.25 + 3 * 0.9 + clean / 2) / 4)
        assert found["transparency.random_auc"] == pytest.approx((clean / 2 + 3 * 0.8 + 0.25) / 4)

    @pytest.mark.parametrize(
        "changed",
        [
            {"explained": np.array([0, 0, 1, 2, 3, 4])},
            {"explained": np.arange(6) + 1},
            {"accuracy.logits": np.eye(2, dtype=np.float32)[1 - np.arange(6) % 2]},
            {"deletion": np.full((6, 1, 3), 1.1)},
            {"insertion": np.full((6, 1, 4), 0.9)},
            {"random": np.zeros((6, 0, 3))},
            {"random": np.full((6, 2, 3), np.nan)},
            {"maps": np.ones((5, 1, 4, 4))},
            {"baseline_outputs": np.full((6, 2), np.inf)},
            {"passes": np.full((6, 1, 2), -1)},
            {"checked": np.array([5, 4]), "changes": np.ones((2, 1, 3))},
            {"checked": np.array([0, 1]), "changes": -np.ones((2, 1, 3))},
            {"randomised": np.ones((1, 2, 1, 4, 4)), "levels": np.array([3]), "layers": np.array([3])},
        ],
    )
    def test_what_contradicts_itself_or_earlier_answers_is_refused(self, changed):
        with pytest.raises(AxisError):
            self.measure(**changed)

    def test_maps_that_are_no_numbers_are_said(self):
        maps = self.evidence()["maps"]
        maps[2, 0, 1, 1] = np.nan
        assert "not_finite" in {one.id.partition(".")[2] for one in self.measure(maps=maps).caveats}

    def test_the_same_evidence_gives_the_same_findings(self):
        assert self.measure().measurements == self.measure().measurements


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"methods": ["gradcam"]}, "methods"),
        ({"methods": []}, "methods"),
        ({"images": 1}, "images"),
        ({"noise": 0}, "noise"),
        ({"baseline": "white"}, "baseline"),
        ({"step": 3}, "did you mean 'steps'?"),
    ],
)
def test_a_mistake_is_one_line(settings, said):
    with pytest.raises(InputError) as caught:
        make_axis("transparency", settings)
    assert said in str(caught.value)


def test_the_demo_model_on_digits(tmp_path):
    card = efficiency360.audit(
        "zoo:digits_transformer",
        "digits",
        axes=["transparency"],
        settings={"transparency": {**QUICK, "grid": 14}},
        limit=N,
        threads=1,
        out=tmp_path,
    )
    record = card.axis("transparency")
    assert record.status == "measured", record.reason
    assert numbers(record, "deletion_gain")["integrated_gradients"].interval.low > 0.2
    assert set(numbers(record, "insertion_auc")) == {"integrated_gradients"}
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png") == 4 * 2


def test_onnx_as_a_black_box_gets_occlusion_and_says_what_it_cannot_test(data, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    weight = np.full((3, SIDE, SIDE), -0.1, np.float32)
    weight[0, :8, :8] = weight[1, :8, 8:] = weight[2, 8:, :8] = 0.1
    make = onnx.helper.make_node  # a hyperbolic sine is not converted to torch
    nodes = [make("Sinh", ["x"], ["s"]), make("Flatten", ["s"], ["f"]), make("MatMul", ["f", "w"], ["y"])]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "corners",
        [value("x", onnx.TensorProto.FLOAT, ("N", 1, SIDE, SIDE))],
        [value("y", onnx.TensorProto.FLOAT, ("N", 3))],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(weight.reshape(3, -1).T), "w")],
    )
    path = tmp_path / "corners.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    card = efficiency360.audit(path, data, axes=["transparency"], settings={"transparency": QUICK}, threads=1)
    record = card.axis("transparency")
    assert record.status == "measured", record.reason
    assert set(numbers(record, "deletion_auc")) == {"occlusion"}
    assert numbers(record, "deletion_gain")["occlusion"].interval.low > 0
    assert not numbers(record, "randomisation_similarity")
    found = caveats(record)
    assert {"occlusion_only", "not_randomised", "left_out"} <= set(found)
    assert "ONNX Runtime" in found["not_randomised"].text
