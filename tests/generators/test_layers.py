"""Resampling and modulated convolutions against golden arrays."""

import torch
from torch.nn import functional

from nbdrag.generators.layers import (
    binomial_filter,
    demodulation,
    doubling_matrix,
    upsample,
    upsampling_conv,
)
from tests.goldens.reading import read_arrays, relative_error

TOLERANCE = 1e-5


def test_filter_equals_golden():
    assert torch.equal(binomial_filter(), read_arrays("ops/ops.npz")["f"])


def test_doubling_equals_golden():
    golden = read_arrays("ops/ops.npz")
    x = golden["x"]
    rows, columns = doubling_matrix(x.shape[2]), doubling_matrix(x.shape[3])
    assert relative_error(rows @ x @ columns.T, golden["upsample2d"]) < TOLERANCE
    assert torch.equal(upsample(x, rows, columns), rows @ x @ columns.T)


def test_upsampling_convolution_equals_golden():
    golden = read_arrays("ops/ops.npz")
    out = upsampling_conv(golden["x"], golden["w"], golden["f"])
    assert relative_error(out, golden["conv_up2_flipFalse"]) < TOLERANCE


def test_modulating_activations_equals_modulating_weights():
    """The goldens modulate weights, one set per picture."""
    golden = read_arrays("ops/ops.npz")
    weight, styles, taps = golden["w"], golden["s"], golden["f"]
    x = golden["x"] * styles[:, :, None, None]
    scale = demodulation(weight, styles)[:, :, None, None]
    same = functional.conv2d(x, weight, padding=1)
    assert relative_error(same, golden["mod_nodemod"]) < TOLERANCE
    assert relative_error(same * scale, golden["mod_same_demod"]) < TOLERANCE
    enlarged = upsampling_conv(x, weight, taps) * scale
    assert relative_error(enlarged, golden["mod_up2_demod"]) < TOLERANCE
