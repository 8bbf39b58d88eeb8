"""Writes generators as NVIDIA's TensorFlow codes do."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from nbdrag.generators.config import StyleGAN2Config
from tests.generators.formats.writing import SOURCE, State, modules_of


class Network:
    """Pickles like a network of dnnlib."""

    def __init__(self, **state: Any) -> None:
        self.state = state

    def __getstate__(self) -> dict[str, Any]:
        return self.state


def tensorflow_networks(
    state: State, config: StyleGAN2Config, *, version: int = 4, **arguments: Any
) -> tuple[Network, Network, Network]:
    """The networks (G, D, Gs)."""
    given = {
        "num_channels": 3,
        "resolution": config.resolution,
        "label_size": config.num_labels,
        "fmap_base": config.channel_base // 2,
        "fmap_max": config.channel_max,
        "mapping_layers": config.mapping_layers,
        "mapping_lrmul": config.mapping_learning_rate,
        "architecture": config.architecture,
        "conv_clamp": config.conv_clamp,
    } | arguments

    def network(name: str, variables: dict[str, Any], components: Any = None) -> Network:
        return Network(
            version=version,
            name=name,
            static_kwargs=dict(given),
            components=components or {},
            build_module_src=SOURCE,
            build_func_name="G_main",
            variables=list(variables.items()),
        )

    def generator(name: str, state: State) -> Network:
        parts: dict[str, dict[str, Any]] = {"mapping": {}, "synthesis": {}, "": {}}
        for ours, tensor in state.items():
            if not ours.endswith("resample_filter"):
                part, _, rest = "/".join(tensorflow_name(ours)).rpartition(":")
                parts[part][rest] = tensorflow_array(ours, tensor)
        return network(
            name,
            {"lod": np.float32(0), **parts[""]},
            {p: network(f"G_{p}", parts[p]) for p in ("synthesis", "mapping")},
        )

    ones = {name: tensor + 1 for name, tensor in state.items()}
    discriminator = network("D", {"4x4/Dense0/weight": np.ones((2, 2), np.float32)})
    return generator("G", ones), discriminator, generator("Gs", state)


def tensorflow_name(ours: str) -> list[str]:
    """The name of a weight, with a colon between network and variable."""
    rest = {"affine.weight": "mod_weight", "affine.bias": "mod_bias"}
    match ours.split("."):
        case ["mapping", "w_avg"]:
            return [":dlatent_avg"]
        case ["mapping", "embed", last]:
            return ["mapping:LabelEmbed", last]
        case ["mapping", layer, last]:
            return [f"mapping:Dense{layer[2:]}", last]
        case ["synthesis", "b4", "const"]:
            return ["synthesis:4x4", "Const", "const"]
        case ["synthesis", block, layer, "noise_const"]:
            level = int(math.log2(int(block[1:])))
            return [f"synthesis:noise{2 * level - 5 + int(layer[-1])}"]
        case ["synthesis", block, layer, *last]:
            names = {"conv0": "Conv0_up", "conv1": "Conv1", "torgb": "ToRGB", "skip": "Skip"}
            name = "Conv" if (block, layer) == ("b4", "conv1") else names[layer]
            r = block[1:]
            return [f"synthesis:{r}x{r}", name, rest.get(".".join(last), last[-1])]
    raise AssertionError(ours)


def tensorflow_array(ours: str, tensor: Tensor) -> Any:
    array = tensor.numpy()
    if ours.endswith("affine.bias"):
        return array - 1
    if ours.endswith("noise_const"):
        return array[None, None]
    if ours.endswith("b4.const"):
        return array[None]
    if array.ndim == 4:
        turned = "conv0" in ours or "skip" in ours
        return (array[:, :, ::-1, ::-1] if turned else array).transpose(2, 3, 1, 0)
    return array.T if array.ndim == 2 else array


def tensorflow_pickle(thing: Any, path: Path, *, protocol: int = 3) -> Path:
    with modules_of(dnnlib__tflib__network__Network=Network), path.open("wb") as file:
        pickle.dump(thing, file, protocol=protocol)
    return path
