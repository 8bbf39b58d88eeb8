"""The quick PNG: what Pillow reads is what was written."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from nbdrag.runtime.batch.png import fast_png

pictures = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda size: arrays.arrays(np.uint8, (*size, 3))
)


@given(pictures)
def test_nothing_is_lost(pixels: np.ndarray) -> None:
    with Image.open(io.BytesIO(fast_png(pixels))) as read:
        read.verify()
    with Image.open(io.BytesIO(fast_png(pixels))) as read:
        assert read.mode == "RGB"
        assert np.array_equal(np.array(read), pixels)


def test_smooth_pictures_become_small() -> None:
    across = np.linspace(0, 200, 256).astype(np.uint8)
    pixels = np.broadcast_to(across[None, :, None], (256, 256, 3)).copy()
    assert len(fast_png(pixels)) < pixels.nbytes / 7
