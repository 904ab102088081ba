"""How do efficient vision transformers compare here, and what of the TurboViT paper's claims can be seen?

Nine models with random weights, each at the size that its published accuracy was measured at, one thread, fp32, eager.
They take turns in one process in an order that is then mirrored, and processor time is counted, so that what else the
machine does touches all alike. Eleven fresh processes are started; in each all models answer single images, in the
first three also batches. A ratio is over the processes, its interval as in `e360 compare --interleaved`, all together
at 95 %. Parameters and MACs are counted as by the axis `cost`. With FOLDER all turns are written to its measured.json
and a page to its index.html; with --page too the page is made of the turns that are there.
Needs `pip install --group bench` (fastervit, whose licence is for non-commercial use). Takes about five minutes.
Run: python benchmarks/efficient_vits.py [FOLDER [--page]], for the kept one reports/efficient-vits
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from efficiency360.files import write_atomic
from efficiency360.statistics.turns import compare, generations_for

if TYPE_CHECKING:
    from torch import nn

    from efficiency360.statistics.turns import Comparison

HERE = Path(__file__).resolve().parent
SWEEPS, BATCHES, PAIRS = 3, (4, 8, 16), 2


@dataclass(frozen=True)
class Model:
    """A model, the side of its images in pixels, and its published top-1 on ImageNet-1k with where that stands."""

    name: str
    arch: str
    side: int
    top1: float | None
    source: str
    link: str = ""


MODELS = (
    Model("turbovit_base", "zoo:turbovit_base", 224, None, "not trained; the paper publishes no weights"),
    Model("FasterViT-0", "fastervit:faster_vit_0_224", 224, 82.1, "README of NVlabs/FasterViT", "NVlabs/FasterViT"),
    Model("MobileViTv2-2.0", "timm:mobilevitv2_200", 256, 81.17, "model zoo of apple/ml-cvnets", "apple/ml-cvnets"),
    Model("MobileViTv2-1.0", "timm:mobilevitv2_100", 256, 78.09, "model zoo of apple/ml-cvnets", "apple/ml-cvnets"),
    Model("Hiera-T", "timm:hiera_tiny_224", 224, 82.8, "README of facebookresearch/hiera", "facebookresearch/hiera"),
    Model(
        "Swin-T",
        "timm:swin_tiny_patch4_window7_224",
        224,
        81.2,
        "README of microsoft/Swin-Transformer",
        "microsoft/Swin-Transformer",
    ),
    Model(
        "DeiT-S",
        "timm:deit_small_patch16_224",
        224,
        79.9,
        "README_deit of facebookresearch/deit, without distillation",
        "facebookresearch/deit",
    ),
    Model(
        "EfficientFormerV2-S2",
        "timm:efficientformerv2_s2",
        224,
        82.17,
        "timm's results-imagenet.csv for its authors' weights, with distillation",
        "huggingface/pytorch-image-models",
    ),
    Model(
        "FastViT-SA12",
        "timm:fastvit_sa12",
        256,
        80.9,
        "README of apple/ml-fastvit, without distillation",
        "apple/ml-fastvit",
    ),
)


def built(model: Model) -> nn.Module:
    """The model with random weights as it is deployed: branches that only training needs are merged."""
    import torch  # noqa: PLC0415 - only the processes that measure need it

    from efficiency360.subject.formats.architectures import Wishes, build  # noqa: PLC0415

    catalogue, _, name = model.arch.partition(":")
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fastervit imports from where timm had its layers
        if catalogue == "fastervit":
            from fastervit import create_model  # noqa: PLC0415

            module: nn.Module = create_model(name)
        else:
            module = build(model.arch, Wishes(), seed=0).module
        if catalogue == "timm":
            from timm.utils.model import reparameterize_model  # noqa: PLC0415

            module = reparameterize_model(module)
    return module.eval()


def count() -> list[dict[str, float]]:
    """Parameters, MACs and the share of operators that were counted, model by model."""
    import torch  # noqa: PLC0415

    from efficiency360.numerics import complexity  # noqa: PLC0415

    found = []
    for model in MODELS:
        module = built(model)
        with torch.no_grad():
            counted = complexity.count(module, torch.rand(1, 3, model.side, model.side))
        params = sum(parameter.numel() for parameter in module.parameters())
        found.append({"params": params, "macs": counted.macs, "coverage": counted.coverage})
    return found


def round_of(seed: int, batches: list[int]) -> dict[str, Any]:
    """One fresh process: processor milliseconds {batch: [model][turn]}, and the share of the processor that it got."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    modules = [built(model) for model in MODELS]
    taken: dict[int, list[list[float]]] = {batch: [[] for _ in MODELS] for batch in batches}
    wall, busy = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        for batch in batches:
            images = {side: torch.rand(batch, 3, side, side) for side in {model.side for model in MODELS}}
            if batch == 1:
                for model, module in zip(MODELS, modules, strict=True):
                    module(images[model.side])
            for _ in range(PAIRS if batch == 1 else 1):
                order = [int(at) for at in rng.permutation(len(MODELS))]
                for at in (*order, *reversed(order)):
                    start = time.process_time()
                    modules[at](images[MODELS[at].side])
                    taken[batch][at].append((time.process_time() - start) * 1e3)
    share = (time.process_time() - busy) / (time.perf_counter() - wall)
    return {"turns": taken, "share": share}


def elsewhere(*arguments: object) -> Any:
    """What this script answers when it is asked in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measured() -> dict[str, Any]:
    """Everything that the page shows; SystemExit where fastervit is not installed."""
    if find_spec("fastervit") is None:
        raise SystemExit("efficient_vits.py: fastervit is not installed: pip install --group bench")
    from efficiency360.engine.environment import describe  # noqa: PLC0415

    place = describe(device="cpu", threads=1, seed=0, isolation=()).model_dump(mode="json")
    counts = elsewhere("--count")
    rounds: list[dict[str, Any]] = []
    total = generations_for(len(MODELS) - 1)
    for seed in range(total):
        rounds.append(elsewhere("--round", seed, *((1, *BATCHES) if seed < SWEEPS else (1,))))
        print(f"round {seed + 1} of {total}: {rounds[-1]['share']:.0%} of a processor", file=sys.stderr, flush=True)
    return {"environment": place, "models": [asdict(model) for model in MODELS], "counts": counts, "rounds": rounds}


def rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """A row of the table for each model, with its ratios to the first."""
    single = np.array([one["turns"]["1"] for one in found["rounds"]])
    labels = [model["name"] for model in found["models"]]
    ratios = [None, *compare(single, labels)]
    table = []
    for at, (model, counted) in enumerate(zip(found["models"], found["counts"], strict=True)):
        speeds = {1: 1e3 / float(np.median(single[:, at]))}
        for batch in BATCHES:
            passes = [min(one["turns"][str(batch)][at]) for one in found["rounds"] if str(batch) in one["turns"]]
            speeds[batch] = 1e3 * batch / statistics.median(passes)
        best = max(speeds, key=lambda batch: speeds[batch])
        ms = float(np.median(single[:, at]))
        table.append({**model, **counted, "ms": ms, "ratio": ratios[at], "speeds": speeds, "best": best})
    return table


def claims(table: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What the paper says of TurboViT beside what is measured of `turbovit_base` here."""
    by_name = {row["name"]: row for row in table}
    ours, faster, mobile = (by_name[name] for name in ("turbovit_base", "FasterViT-0", "MobileViTv2-2.0"))
    throughput = ours["speeds"][ours["best"]] / faster["speeds"][faster["best"]]
    made = "By construction: the width of turbovit_base was chosen to come near this; it is no evidence for the paper."
    return [
        {
            "claim": "2.47 times smaller than FasterViT-0 (parameters)",
            "here": f"{faster['params'] / ours['params']:.2f}",
            "note": made,
        },
        {
            "claim": "3.4 times fewer FLOPs than MobileViTv2-2.0",
            "here": f"{mobile['macs'] / ours['macs']:.2f}",
            "note": f"{made} MACs as counted here, at 224 and 256 pixels.",
        },
        {
            "claim": "3.21 times lower latency than FasterViT-0, on its GPU",
            "here": told(faster["ratio"]),
            "note": "One image, one processor thread, fp32, eager PyTorch: another machine and other kernels.",
        },
        {
            "claim": "3.18 times higher throughput than FasterViT-0 where latency counts, on its GPU",
            "here": f"{throughput:.2f}",
            "note": f"The best batch of each ({ours['best']} and {faster['best']}); at one image it is the line above.",
        },
        {
            "claim": "The accuracy of FasterViT-0, 0.9 points above MobileViTv2-2.0",
            "here": "not measured",
            "note": "There are no weights, and nobody here has trained turbovit_base on ImageNet.",
        },
    ]


def page(found: dict[str, Any]) -> str:
    """The page as HTML; the same numbers give the same bytes."""
    loader = FileSystemLoader([HERE, HERE.parent / "efficiency360" / "render" / "templates"])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    table = rows(found)
    shares = [one["share"] for one in found["rounds"]]
    content = {"table": table, "claims": claims(table), "place": found["environment"]}
    template = environment.get_template("efficient_vits.html.j2")
    return template.render(content, rounds=len(shares), share=min(shares), sweeps=SWEEPS)


def told(ratio: Comparison) -> str:
    """A ratio with its interval."""
    return f"{ratio.ratio:.3f} [{ratio.interval.low:.3f}, {ratio.interval.high:.3f}]"


def main() -> None:
    """Measure, write, and print the ratios."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--count"]:
        print(json.dumps(count()))
        return
    if arguments[:1] == ["--round"]:
        print(json.dumps(round_of(int(arguments[1]), [int(batch) for batch in arguments[2:]])))
        return
    out = Path(arguments[0]) if arguments else None
    if out and "--page" in arguments:
        found = json.loads((out / "measured.json").read_text(encoding="utf-8"))
    else:
        found = json.loads(json.dumps(measured()))  # keys become text, as they are when it is read
    if out:
        write_atomic(out / "measured.json", (json.dumps(found) + "\n").encode())
        write_atomic(out / "index.html", page(found).encode())
    for row in rows(found):
        than = row["ratio"]
        print(
            f"{row['name']:<21} {row['params'] / 1e6:6.2f} M {row['macs'] / 1e9:5.2f} GMACs {row['ms']:7.1f} ms"
            f" {row['speeds'][row['best']]:6.2f} images/s  time / turbovit_base: {told(than) if than else 1}"
        )
    for one in claims(rows(found)):
        print(f"{one['claim']}: here {one['here']}")


if __name__ == "__main__":
    main()
