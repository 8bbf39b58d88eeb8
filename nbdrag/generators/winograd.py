"""A 3x3 convolution with a quarter of the multiplications: Winograd's F(4 x 4, 3 x 3).

Four neighbouring outputs of a filter with three taps depend on six inputs; the plain way takes 12
multiplications. But filtering is multiplying polynomials, and a product of degree five is known
once it is known at six points, where it is a product of mere numbers: six multiplications, and
some sums with fixed coefficients before and after. In two dimensions that is 36 instead of 144.

    V = B X B^T      every tile of 6 x 6 inputs, tiles overlapping by two, seen at 6 x 6 points
    U = G w G^T      so are the filters, once and for all
    M = V U          at each of the 36 points: sum over channels, a matrix product
    Y = A M A^T      tiles of 4 x 4 outputs

The points are 0, ±1/√2, ±√2 and infinity. Rounding errors grow with the spread of their powers; in
float32 these err no more than a plain convolution does, in bfloat16 by 1.4 % instead of 0.3 %.

References
----------
Winograd, Arithmetic Complexity of Computations, SIAM 1980.
Lavin & Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016. arXiv:1509.09308
Barabasz et al., Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
Networks, ACM TOMS 2020. arXiv:1803.10986
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn.functional import pad

TILE = 4  # outputs a side
SEEN = TILE + 2  # inputs a side, and points
POINTS = (0.0, math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2), -math.sqrt(2))  # and infinity
STRIP = 512  # bytes per channel of the tiles worked on at once: small enough for caches


def winograd_conv(x: Tensor, filters: Tensor) -> Tensor:
    """Convolve with 3x3 filters, zeros around.

    Parameters
    ----------
    x : Tensor, shape [N, C, h, w]
        h and w are multiples of `TILE`. Fastest with channels last.
    filters : Tensor, shape [36, C, O]
        What `seen_at_points` gave.

    Returns
    -------
    Tensor, shape [N, O, h, w], channels last
    """
    n, channels, height, width = x.shape
    outputs = filters.shape[2]
    into, outof, _ = transforms(x.dtype, x.device)
    padded = pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1).contiguous()
    picture, row, column, _ = padded.stride()
    across = width // TILE
    down = max(1, STRIP // x.element_size() // across)  # tiles of a strip
    y = x.new_empty(n, height // TILE, TILE, across, TILE, outputs)
    for i in range(n):
        for top in range(0, height // TILE, down):
            rows = min(down, height // TILE - top)
            tiles = padded.as_strided(
                (SEEN, SEEN, rows, across, channels),
                (row, column, TILE * row, TILE * column, 1),
                i * picture + top * TILE * row,
            )
            seen = into @ tiles.reshape(SEEN * SEEN, -1)
            product = torch.bmm(seen.view(SEEN * SEEN, -1, channels), filters)
            strip = (outof @ product.view(SEEN * SEEN, -1)).view(TILE, TILE, rows, across, outputs)
            y[i, top : top + rows] = strip.permute(2, 0, 3, 1, 4)
    return y.view(n, height, width, outputs).permute(0, 3, 1, 2)


def seen_at_points(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """What filters [O, C, 3, 3] are at the 36 points: [36, C, O]."""
    *_, filters = transforms(weight.dtype, weight.device)
    outputs, channels = weight.shape[:2]
    taps = weight.permute(2, 3, 1, 0).reshape(9, -1)
    return (filters @ taps).view(-1, channels, outputs).to(dtype)


@functools.cache
def transforms(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """B (x) B [36, 36], A (x) A [16, 36] and G (x) G [36, 9] for tiles, outputs and filters.

    With V_k the matrix of the first k powers of the points, that is polynomials' values from their
    k coefficients, a product p q has the coefficients V_6^-1 (V_4 p * V_3 q). Filtering is that,
    transposed: A = V_4^T, G = V_3, B = V_6^-T.
    """

    def powers(count: int) -> Tensor:
        at_infinity = [0.0] * (count - 1) + [1.0]  # only the leading coefficient counts
        rows = [[point**k for k in range(count)] for point in POINTS]
        return torch.tensor([*rows, at_infinity], dtype=torch.float64)

    into, outof, filters = torch.linalg.inv(powers(SEEN)).T, powers(TILE).T, powers(3)
    both = (torch.kron(each.contiguous(), each.contiguous()) for each in (into, outof, filters))
    b, a, g = (each.to(dtype=dtype, device=device) for each in both)
    return b, a, g
