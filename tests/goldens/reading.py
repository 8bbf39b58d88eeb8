"""Reads the golden arrays."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config

HERE = Path(__file__).parent


def read_arrays(path: str) -> dict[str, Tensor]:
    """The arrays of e.g. ``tiny_skip/io.npz``."""
    with np.load(HERE / path) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def read_config(name: str) -> dict[str, Any]:
    """How the generator of a golden was constructed ("generator"), and its drag ("drag")."""
    config: dict[str, Any] = json.loads((HERE / name / "config.json").read_text())
    return config


def read_generator(name: str) -> Generator:
    """The generator of a golden, with its weights."""
    generator = Generator(StyleGAN2Config(**read_config(name)["generator"]))
    generator.load_state_dict(read_arrays(f"{name}/state.npz"), strict=True)
    return generator


def relative_error(actual: Tensor, golden: Tensor) -> float:
    """||actual − golden|| / ||golden||, in float64."""
    golden = golden.detach().double()
    return float((actual.detach().double() - golden).norm() / golden.norm())
