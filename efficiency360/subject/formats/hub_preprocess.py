"""The preprocessor_config.json of transformers in our terms."""

from __future__ import annotations

from typing import Any

from efficiency360.errors import InputError

_RESAMPLES = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # the numbers of Pillow
_LEVELS = 255
_WHOLE_FROM = 384  # sides from which ConvNeXt's processor does not crop


def hub_preprocess(settings: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """The keys of `Preprocess` that the settings (empty: there are none) and the model's own config tell.

    Raises:
        InputError: a value that is no size, number or list of numbers.
    """
    try:
        return _sizes(settings, config) | (_normalisation(settings) if settings else {})
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise InputError(
            f"preprocessor_config.json cannot be understood ({type(error).__name__}); give a manifest"
        ) from error


def _sizes(settings: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    channels = config.get("num_channels")
    known: dict[str, Any] = {"channels": channels} if channels in (1, 3) else {}
    if not settings:
        own = _size(config["image_size"]) if config.get("image_size") else None
        return known | ({} if own is None else {"size": own})
    size, resize = _target(settings, config)
    if settings.get("do_center_crop") and settings.get("crop_size"):
        size = _size(settings["crop_size"])
    known |= {"size": size, "resize": resize if settings.get("do_resize", True) else None}
    return known | ({"interpolation": _RESAMPLES[int(settings["resample"])]} if "resample" in settings else {})


def _target(settings: dict[str, Any], config: dict[str, Any]) -> tuple[tuple[int, int], int | tuple[int, int]]:
    """The input size without a crop, and what is resized to."""
    given: Any = settings.get("size") or config["image_size"]
    if not isinstance(given, dict) or "shortest_edge" not in given:
        # An older file's bare number is a short side where a crop follows.
        if isinstance(given, int) and settings.get("do_center_crop"):
            return _size(given), given
        return _size(given), _size(given)
    edge = int(given["shortest_edge"])
    share = settings.get("crop_pct")
    if share is None:
        return (edge, edge), edge
    return (edge, edge), (edge, edge) if edge >= _WHOLE_FROM else int(edge / float(share))


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, dict):
        sides = [value[side] if side in value else value["shortest_edge"] for side in ("height", "width")]
        return int(sides[0]), int(sides[1])
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    height, width = map(int, pair)
    return height, width


def _normalisation(settings: dict[str, Any]) -> dict[str, Any]:
    """Mean and standard deviation for pixels in [0, 1], whatever the settings scale them to first."""
    scale = (
        _LEVELS * float(settings.get("rescale_factor", 1 / _LEVELS)) if settings.get("do_rescale", True) else _LEVELS
    )
    offset = 1.0 if settings.get("rescale_offset") else 0.0
    mean, std = [0.0], [1.0]
    if settings.get("do_normalize", True) and settings.get("image_mean") is not None:
        mean, std = list(map(float, settings["image_mean"])), list(map(float, settings["image_std"]))
    return {"mean": tuple((m + offset) / scale for m in mean), "std": tuple(s / scale for s in std)}
