"""Which ATen operators carry no multiply-adds, by name; every operator in no list here needs a handle or is uncounted.

Names are without the ``aten::`` prefix and without the trailing underscore of in-place variants. The lists are closed
on purpose: an operator of a future torch is reported as uncounted until somebody has decided what it costs.
"""

_ELEMENTWISE = """
abs absolute acos acosh add addcdiv addcmul angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan
atan2 atanh ceil celu clamp clamp_max clamp_min clip conj_physical copysign cos cosh cross cumprod cumsum
cumulative_trapezoid deg2rad dequantize diff digamma div divide elu erf erfc erfinv exp exp2 expm1
fake_quantize_per_channel_affine fake_quantize_per_tensor_affine fix float_power floor floor_divide fmax fmin fmod frac
frexp gelu glu gradient hardshrink hardsigmoid hardswish hardtanh heaviside hypot i0 igamma igammac index_add
index_reduce ldexp leaky_relu lerp lgamma linalg_cross log log10 log1p log2 log_sigmoid log_sigmoid_forward log_softmax
logaddexp logaddexp2 logcumsumexp logit maximum minimum mish modf mul multiply mvlgamma nan_to_num neg negative
nextafter polar polygamma pow prelu quantize_per_channel quantize_per_tensor rad2deg reciprocal relu relu6 remainder
renorm round rrelu rrelu_with_noise rsqrt rsub scatter_add scatter_reduce selu sgn sigmoid sign silu sin sinc sinh
softmax softplus softshrink special_airy_ai special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1
special_digamma special_entr special_erf special_erfc special_erfcx special_erfinv special_exp2 special_expit
special_expm1 special_gammainc special_gammaincc special_gammaln special_i0 special_i0e special_i1 special_i1e
special_log1p special_log_ndtr special_log_softmax special_logit special_ndtr special_ndtri special_polygamma
special_psi special_round special_sinc special_softmax special_xlog1py special_xlogy special_zeta sqrt square sub
subtract tan tanh threshold true_divide trunc xlogy __add__ __div__ __mul__ __sub__ _add_relu _conj_physical
_log_softmax _masked_softmax _prelu_kernel _safe_softmax _softmax _weight_norm _weight_norm_interface
"""

_REDUCTIONS = """
binary_cross_entropy binary_cross_entropy_with_logits corrcoef cosine_similarity cov cross_entropy_loss dist
frobenius_norm huber_loss kl_div l1_loss linalg_norm linalg_vector_norm logsumexp mean mse_loss nanmean nansum nll_loss
nll_loss_nd norm norm_except_dim pairwise_distance prod smooth_l1_loss special_logsumexp std std_mean sum sum_to_size
trace trapezoid trapz var var_mean
"""

_MOVEMENT = """
adjoint alias alias_copy as_strided as_tensor atleast_1d atleast_2d atleast_3d block_diag broadcast_tensors
broadcast_to cat channel_shuffle chunk clone col2im column_stack combinations complex concat concatenate conj
constant_pad_nd contiguous copy cpu cuda detach detach_copy diag diag_embed diagflat diagonal diagonal_scatter dsplit
dstack embedding expand expand_as expand_copy fft_fftshift fft_ifftshift fill fill_diagonal flatten flip fliplr flipud
gather hsplit hstack im2col imag index index_copy index_fill index_put index_select lift lift_fresh lift_fresh_copy mH
mT masked_fill masked_scatter masked_select matrix_H max_unpool2d max_unpool3d meshgrid moveaxis movedim narrow
narrow_copy native_channel_shuffle numpy_T one_hot pad pad_sequence permute permute_copy pin_memory pixel_shuffle
pixel_unshuffle positive put ravel real reflection_pad1d reflection_pad2d reflection_pad3d repeat repeat_interleave
replication_pad1d replication_pad2d replication_pad3d requires_grad reshape reshape_as resize resize_as resolve_conj
resolve_neg roll rot90 row_stack scatter select select_copy select_scatter set slice slice_copy slice_inverse
slice_scatter split split_copy split_with_sizes split_with_sizes_copy squeeze squeeze_copy stack swapaxes swapdims t
t_copy take take_along_dim tensor_split tile to to_dense transpose transpose_copy tril triu type_as unbind unbind_copy
unflatten unfold unfold_copy unsafe_chunk unsafe_split unsafe_split_with_sizes unsqueeze unsqueeze_copy view view_as
view_as_complex view_as_complex_copy view_as_real view_as_real_copy view_copy vsplit vstack where zero
_autocast_to_full_precision _autocast_to_reduced_precision _cast_Byte _cast_Char _cast_Double _cast_Float _cast_Half
_cast_Int _cast_Long _cast_Short _conj _conj_copy _lazy_clone _neg_view _pack_padded_sequence _pad_circular _pad_enum
_pad_packed_sequence _reshape_alias _reshape_copy _stack _to_copy _unsafe_index _unsafe_index_put _unsafe_view
alpha_dropout dropout feature_alpha_dropout feature_dropout native_dropout
"""

_CREATION = """
arange bartlett_window bernoulli binomial blackman_window cartesian_prod cauchy empty empty_like empty_permuted
empty_strided exponential eye full full_like geometric hamming_window hann_window kaiser_window linspace log_normal
logspace multinomial new_empty new_empty_strided new_full new_ones new_zeros normal normal_functional ones ones_like
poisson rand rand_like randint randint_like randn randn_like random randperm range scalar_tensor tensor tril_indices
triu_indices uniform vander zeros zeros_like
"""

_COMPARISON_AND_INTEGER = """
all allclose amax amin aminmax any argmax argmin argsort argwhere bincount bitwise_and bitwise_left_shift bitwise_not
bitwise_or bitwise_right_shift bitwise_xor bucketize count_nonzero cummax cummin eq equal gcd ge greater greater_equal
gt histc isclose isfinite isin isinf isnan isneginf isposinf isreal item kthvalue lcm le less less_equal logical_and
logical_not logical_or logical_xor lt max max_pool1d max_pool1d_with_indices max_pool2d max_pool2d_with_indices
max_pool3d max_pool3d_with_indices median min mode msort nanmedian ne nonzero nonzero_numpy not_equal searchsorted
signbit sort topk unique_consecutive unique_dim adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
fractional_max_pool2d fractional_max_pool3d __and__ __iand__ __ior__ __ixor__ __lshift__ __or__ __rshift__ __xor__
_assert_async _assert_scalar _assert_tensor_metadata _is_all_true _is_any_true _local_scalar_dense _shape_as_tensor
_unique _unique2 Bool Float FloatImplicit Int IntImplicit ScalarImplicit device dim is_complex is_contiguous
is_floating_point is_nonzero len numel size storage_offset stride sym_numel sym_size sym_storage_offset sym_stride
"""

_PLUMBING = """
prim::Constant prim::DictConstruct prim::GetAttr prim::ListConstruct prim::ListUnpack prim::NumToTensor prim::Print
prim::RaiseException prim::TupleConstruct prim::TupleIndex prim::TupleUnpack prim::data prim::device prim::dtype
prim::layout prim::max prim::min prim::shape profiler::_record_function_enter profiler::_record_function_enter_new
profiler::_record_function_exit
"""

ELEMENTWISE = frozenset(_ELEMENTWISE.split())
"""Arithmetic on each element of the output: zero MACs by fvcore's convention, summed apart."""

REDUCTIONS = frozenset(_REDUCTIONS.split())
"""Arithmetic on each element of the first input: zero MACs by the same convention, summed apart."""

MOVEMENT = frozenset(f"{_MOVEMENT} {_CREATION} {_COMPARISON_AND_INTEGER}".split())
"""No arithmetic on values: copies, views, shapes, creation, comparisons, integers, dropout in eval mode."""

PLUMBING = frozenset(_PLUMBING.split())
"""Nodes of a traced graph that run no arithmetic on tensors."""
