import io

import numpy as np
import pytest
import torch
from PIL import Image

from nbdrag.runtime import pictures


def test_pixels_are_rounded_and_clipped() -> None:
    values = torch.tensor([-5.0, -1.0, 0.0, 1.0, 5.0, 1 / 255])
    image = values.repeat(3, 1, 1)  # [3, 1, 6]
    pixels = pictures.to_pixels(image)
    assert (pixels.shape, pixels.dtype) == ((1, 6, 3), np.uint8)
    assert pixels[0, :, 0].tolist() == [0, 0, 128, 255, 255, 128]


def test_every_byte_survives_the_way_to_a_tensor_and_back() -> None:
    grey = torch.arange(256).repeat(3, 2, 1) / 127.5 - 1
    np.testing.assert_array_equal(pictures.to_pixels(grey)[0, :, 1], np.arange(256))


def test_pixels_do_not_share_memory_with_the_tensor_nor_need_a_plain_one() -> None:
    image = torch.zeros(3, 4, 4, dtype=torch.bfloat16, requires_grad=True)
    assert pictures.to_pixels(image).max() == 128


@pytest.mark.parametrize("shape", [(1, 3, 4, 4), (4, 4), (1, 4, 4), (4, 4, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[3, H, W\]"):
        pictures.to_pixels(torch.zeros(shape))


def test_encodings() -> None:
    picture = pictures.to_pil(torch.rand(3, 40, 80, generator=torch.Generator().manual_seed(2)))
    for encode, name in [(pictures.jpeg, "JPEG"), (pictures.webp, "WEBP"), (pictures.png, "PNG")]:
        file = Image.open(io.BytesIO(encode(picture)))
        assert (file.format, file.size) == (name, (80, 40))
        if name != "JPEG":
            np.testing.assert_array_equal(np.asarray(file), np.asarray(picture))
    assert Image.open(io.BytesIO(pictures.thumbnail(picture))).size == (64, 32)
    assert picture.size == (80, 40)
