"""Which handle counts which operator, and under which name."""

from collections import Counter
from collections.abc import Callable, Iterator

from efficiency360.numerics import flop_handles as handles
from efficiency360.numerics.flop_einsum import chain, einsum
from efficiency360.numerics.flop_values import Values, numel

Handle = Callable[[Values, Values], Counter[str]]
"""fvcore's kind of handle: inputs and outputs of an operator -> name in the count -> multiply-adds."""

_Family = tuple[handles.Macs, str]
"""A handle and the operators that it counts: ``aten`` where no namespace is given."""

_PRODUCTS: tuple[_Family, ...] = (
    (handles.any_convolution, "_convolution convolution"),
    (handles.convolution, "_convolution_mode conv1d conv2d conv3d torchvision::deform_conv2d"),
    (handles.transposed_convolution, "conv_transpose1d conv_transpose2d conv_transpose3d"),
    (handles.matmul, "linear matmul linalg_matmul mm bmm mv inner"),
    (handles.added_matmul, "addmm baddbmm addmv _addmm_activation"),
    (handles.summed_bmm, "addbmm"),
    (handles.dot, "dot vdot"),
    (handles.tensordot, "tensordot"),
    (chain, "linalg_multi_dot chain_matmul"),
    (handles.attention, "scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu"),
    (handles.attention, "_scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention"),
    (handles.attention, "_scaled_dot_product_cudnn_attention"),
    (handles.recurrent, "lstm gru rnn_tanh rnn_relu _cudnn_rnn"),
    (handles.recurrent_layer, "mkldnn_rnn_layer"),
    (handles.distances, "cdist _cdist_forward"),
)

_OTHERS: tuple[_Family, ...] = (
    (handles.outer, "outer ger addr kron"),
    (handles.vecdot, "linalg_vecdot"),
    (handles.bilinear, "bilinear"),
    (handles.batch_norm, "batch_norm native_batch_norm _native_batch_norm_legit _batch_norm_impl_index"),
    (handles.norm(1, plain=1), "_native_batch_norm_legit_no_training _batch_norm_no_update"),
    (handles.norm(2), "layer_norm native_layer_norm group_norm"),
    (handles.norm(1), "instance_norm native_group_norm"),
    (handles.norm(2, plain=3), "rms_norm _fused_rms_norm"),
    (handles.pool, "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d"),
    (handles.pool, "_adaptive_avg_pool2d _adaptive_avg_pool3d avg_pool1d avg_pool2d avg_pool3d"),
    (handles.sources(1), "upsample_nearest1d upsample_nearest2d upsample_nearest3d"),
    (handles.sources(1), "_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d"),
    (handles.sources(2), "upsample_linear1d"),
    (handles.sources(4), "upsample_bilinear2d"),
    (handles.sources(8), "upsample_trilinear3d"),
    (handles.sources(16), "upsample_bicubic2d"),
    (handles.antialiased(2), "_upsample_bilinear2d_aa"),
    (handles.antialiased(4), "_upsample_bicubic2d_aa"),
    (handles.grid_sample, "grid_sampler grid_sampler_2d grid_sampler_3d cudnn_grid_sampler"),
    (handles.affine_grid, "affine_grid_generator"),
    (handles.roi_align, "torchvision::roi_align"),
)

_ATTENTION = "scaled_dot_product_attention"

_SHARED_NAMES: dict[handles.Macs, str] = {
    handles.any_convolution: "conv",
    handles.convolution: "conv",
    handles.transposed_convolution: "conv",
    handles.attention: _ATTENTION,
}
"""Names for all operators of a handle, the first as in fvcore; the others go under their own, without a namespace."""


def _handle(macs: handles.Macs, name: str) -> Handle:
    return lambda inputs, outputs: Counter({name: macs(inputs, outputs)})


def _entries(families: tuple[_Family, ...]) -> Iterator[tuple[str, str, handles.Macs]]:
    for macs, operators in families:
        for operator in operators.split():
            plain = operator.rpartition("::")[2]
            yield (operator if "::" in operator else f"aten::{operator}"), _SHARED_NAMES.get(macs, plain), macs


HANDLES: dict[str, Handle] = {
    "aten::einsum": einsum,
    **{operator: _handle(macs, name) for operator, name, macs in _entries(_PRODUCTS + _OTHERS)},
}
"""Operator, without the underscore of its in-place variant -> handle."""

PRODUCTS: frozenset[str] = frozenset(name for _, name, _ in _entries(_PRODUCTS)) | {"einsum"}
"""Names of convolutions, matrix products, attention and recurrent layers: what torch's registry counts too."""


def activations(name: str, inputs: Values, outputs: Values) -> int:
    """Count the elements that a product leaves in memory; attention leaves its scores too, fused or not."""
    return handles.attention_activations(inputs, outputs) if name == _ATTENTION else numel(outputs[0])
