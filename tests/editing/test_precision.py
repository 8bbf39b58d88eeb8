"""Which type an edit computes in, and how far that leads it astray."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nbdrag.editing import precision
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.editing.precision import computing_type, multiplications
from nbdrag.editing.step import run_to_end
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config


def stand_in(dtype: torch.dtype = torch.float32, **config: Any) -> Any:
    return SimpleNamespace(config=StyleGAN2Config(**config), w_avg=torch.zeros(1, dtype=dtype))


LARGE = {"resolution": 512}
SMALL = {"resolution": 128, "channel_base": 2048, "channel_max": 128}


@pytest.mark.parametrize(
    ("dtype", "config", "fast", "expected"),
    [
        (torch.float32, LARGE, True, torch.bfloat16),
        (torch.float32, LARGE, False, torch.float32),
        (torch.float32, SMALL, True, torch.float32),
        (torch.float64, LARGE, True, torch.float64),
    ],
)
def test_automatic_is_bfloat16_where_it_pays(monkeypatch, dtype, config, fast, expected):
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device: fast)
    assert computing_type(stand_in(dtype, **config), 128, "auto") == expected


def test_a_choice_is_a_choice(monkeypatch):
    monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device: True)
    assert computing_type(stand_in(**SMALL), 64, "bfloat16") == torch.bfloat16
    assert computing_type(stand_in(**LARGE), 128, "float32") == torch.float32
    assert computing_type(stand_in(torch.float64, **LARGE), 128, "float32") == torch.float64


def test_the_device_is_asked_once():
    precision.bfloat16_is_fast.cache_clear()
    first = precision.bfloat16_is_fast(torch.device("cpu"))
    assert precision.bfloat16_is_fast(torch.device("cpu")) is first
    assert precision.bfloat16_is_fast.cache_info().misses == 1


def test_multiplications_are_counted():
    config = StyleGAN2Config(64, w_dim=8, channel_base=512, channel_max=32, base_width=2)
    generator = Generator(config)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        generator.synthesis(torch.zeros(1, config.num_ws, 8), until=32)
    convolutions = sum(
        flops
        for operation, flops in counter.get_flop_counts()["Global"].items()
        if "conv" in str(operation)
    )
    # The counter takes in the filters, one channel at a time, that follow when sizes double.
    assert multiplications(config, 32) == pytest.approx(convolutions / 2, rel=0.1)


@pytest.fixture(scope="module")
def generator() -> Generator:
    config = StyleGAN2Config(
        64, z_dim=16, w_dim=16, mapping_layers=2, channel_base=1024, channel_max=32
    )
    return Generator(config, torch.Generator().manual_seed(0)).requires_grad_(False)


@pytest.mark.parametrize("masked", [False, True], ids=["free", "masked"])
def test_a_drag_in_bfloat16_ends_where_one_in_float32_does(generator, masked):
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(1))
    ws = generator.mapping(z, truncation=0.7)[0]
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[10:50, 10:50] = True
    ends = []
    for kind in ("float32", "bfloat16"):
        options = DragOptions(
            learning_rate=0.01, patch_radius=3, search_radius=5, max_steps=20, precision=kind
        )
        wish = ([(24.0, 30.0)], [(29.0, 33.0)], mask if masked else None, options)
        last = run_to_end(drag(generator, ws, *wish))
        assert last.ws.dtype == last.preview.dtype == torch.float32
        ends.append((last.points, generator.synthesis(last.ws[None]).image))
    (points, image), (rounded_points, rounded_image) = ends
    assert (points - rounded_points).norm(dim=1).max() <= 1
    error = (image - rounded_image).square().mean().sqrt().item()
    assert 20 * math.log10(2 / error) >= 35


def test_what_suits_a_generator_says_what_was_chosen(generator, monkeypatch):
    assert DragOptions.for_generator(generator).precision == "auto"
    monkeypatch.setattr(precision, "LARGE", 1e6)
    for fast, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(precision, "bfloat16_is_fast", lambda device, fast=fast: fast)
        assert DragOptions.for_generator(generator).precision == expected


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="precision is 'half'; expected one of 'auto', 'float32'"):
        DragOptions(precision="half")
