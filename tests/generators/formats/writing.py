"""Writes generators as NVIDIA's PyTorch codes do: the structure of the files is real.

Every writer takes a state dict with our names, and the config. The sources that such files carry
are texts of our own here; a reader that ran them would fail.
"""

import pickle
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nbdrag.generators.config import StyleGAN2Config

State = Mapping[str, Tensor]

SOURCE = "raise SystemExit('the source code in a checkpoint was run')\n"
BUFFERS = ("resample_filter", "noise_const", "w_avg")


@contextmanager
def modules_of(**classes: Any) -> Iterator[None]:
    """Let pickle find things under names of modules that aren't installed here."""
    made = []
    for name, thing in classes.items():
        module, attribute = name.replace("__", ".").rsplit(".", 1)
        thing.__module__, thing.__qualname__, thing.__name__ = module, attribute, attribute
        parts = module.split(".")
        for i in range(len(parts)):
            parent = ".".join(parts[: i + 1])
            if parent not in sys.modules:
                sys.modules[parent] = ModuleType(parent)
                made.append(parent)
        setattr(sys.modules[module], attribute, thing)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


# ------------------------------------------------------------------------------------------ NVIDIA


class EasyDict(dict):
    """A dict whose items are attributes, too."""

    __setattr__ = dict.__setitem__


def reconstruct(meta: Any) -> None:
    raise AssertionError("a checkpoint was unpickled")


class Persistent(nn.Module):
    """Pickles like a module whose class travels with it as source code."""

    def __init__(self, class_name: str, version: int, arguments: Any, **attributes: Any) -> None:
        super().__init__()
        self.__dict__["_meta"] = {"version": version, "class_name": class_name}
        self.__dict__.update(attributes, _init_args=(), _init_kwargs=arguments)

    def __reduce__(self) -> Any:
        state = {key: value for key, value in self.__dict__.items() if key != "_meta"}
        return reconstruct, ({"type": "class", **self._meta, "module_src": SOURCE, "state": state},)


def nvidia_names() -> Any:
    return modules_of(
        torch_utils__persistence___reconstruct_persistent_obj=reconstruct,
        dnnlib__util__EasyDict=EasyDict,
    )


def nvidia_module(
    state: State,
    config: StyleGAN2Config,
    *,
    code: str = "stylegan2-ada-pytorch",
    version: int = 6,
    says: bool = True,
    **layer: Any,
) -> Persistent:
    """The generator as a module of NVIDIA's code.

    `says` whether layers keep how they were constructed; `layer` overrides what they keep.
    """
    mapping = EasyDict(num_layers=config.mapping_layers, lr_multiplier=config.mapping_learning_rate)
    synthesis = EasyDict(
        channel_base=config.channel_base,
        channel_max=config.channel_max,
        num_fp16_res=4,
        conv_clamp=config.conv_clamp,
        architecture=config.architecture,
    )
    nested = code == "stylegan2-ada-pytorch"
    arguments = EasyDict(
        z_dim=config.z_dim,
        c_dim=config.num_labels,
        w_dim=config.w_dim,
        img_resolution=config.resolution,
        img_channels=3,
        mapping_kwargs=mapping,
        **({"synthesis_kwargs": synthesis} if nested else synthesis),
    )
    root = Persistent("Generator", version, arguments, z_dim=config.z_dim, num_ws=config.num_ws)
    for name, tensor in state.items():
        *path, last = name.split(".")
        owner = root
        for i, part in enumerate(path):
            if part not in owner._modules:
                full = ".".join(path[: i + 1])
                said = attributes(full, config) | layer if says else {}
                owner.add_module(part, Persistent(class_of(full), version, EasyDict(), **said))
            owner = owner._modules[part]
        if last in BUFFERS:
            owner.register_buffer(last, tensor)
        else:
            floating = tensor.is_floating_point()
            owner.register_parameter(last, nn.Parameter(tensor, requires_grad=floating))
    return root


def class_of(path: str) -> str:
    *_, last = path.split(".")
    named = {"mapping": "MappingNetwork", "synthesis": "SynthesisNetwork", "torgb": "ToRGBLayer"}
    if last in named:
        return named[last]
    if last in ("conv0", "conv1"):
        return "SynthesisLayer"
    if last == "skip":
        return "Conv2dLayer"
    return "SynthesisBlock" if last.startswith("b") else "FullyConnectedLayer"


def attributes(path: str, config: StyleGAN2Config) -> dict[str, Any]:
    """What the module at a path keeps besides parameters, buffers and modules."""
    kind, last = class_of(path), path.split(".")[-1]
    if kind == "FullyConnectedLayer":
        mapping = last.startswith("fc")
        rate = config.mapping_learning_rate if mapping else 1.0
        return {
            "activation": "lrelu" if mapping else "linear",
            "weight_gain": rate / np.sqrt(config.w_dim),  # a number of numpy's, as there
            "bias_gain": rate,
        }
    if kind == "SynthesisLayer":
        return {
            "resolution": int(path.split(".")[1][1:]),
            "up": 2 if last == "conv0" else 1,
            "use_noise": True,
            "activation": "lrelu",
            "conv_clamp": config.conv_clamp,
            "padding": 1,
            "act_gain": np.sqrt(2),
        }
    if kind == "ToRGBLayer":
        return {"conv_clamp": config.conv_clamp, "weight_gain": 1 / np.sqrt(64)}
    if kind == "Conv2dLayer":
        return {"activation": "linear", "up": 2, "down": 1, "conv_clamp": None, "act_gain": 1}
    if kind == "SynthesisBlock":
        return {
            "in_channels": 0 if last == "b4" else 8,
            "w_dim": config.w_dim,
            "resolution": int(last[1:]),
            "img_channels": 3,
            "is_last": last == f"b{config.resolution}",
            "architecture": config.architecture,
            "use_fp16": int(last[1:]) >= 32,
            "channels_last": False,
            "num_conv": 1 if last == "b4" else 2,
        }
    if kind == "SynthesisNetwork":
        return {"img_resolution": config.resolution, "block_resolutions": [4, 8, 16, 32]}
    return {"num_layers": config.mapping_layers, "c_dim": config.num_labels, "w_avg_beta": 0.995}


def nvidia_snapshot(
    state: State, config: StyleGAN2Config, path: Path, *, protocol: int = 4, **options: Any
) -> Path:
    """A file as a training writes it: networks, the average among them, and what it learnt from."""
    discriminator = Persistent("Discriminator", 6, EasyDict(conv_clamp=99.0), conv_clamp=99.0)
    discriminator.register_parameter("weight", nn.Parameter(torch.ones(2, 2)))
    augment = Persistent("AugmentPipe", 6, EasyDict(xflip=1))
    augment.register_buffer("p", torch.zeros(()))
    snapshot = {
        "training_set_kwargs": EasyDict(
            class_name="training.dataset.ImageFolderDataset", xflip=True
        ),
        "G": nvidia_module({name: t + 1 for name, t in state.items()}, config, **options),
        "D": discriminator,
        "G_ema": nvidia_module(state, config, **options),
        "augment_pipe": augment,
    }
    return nvidia_pickle(snapshot, path, protocol=protocol)


def nvidia_pickle(thing: Any, path: Path, *, protocol: int = 4) -> Path:
    with nvidia_names(), path.open("wb") as file:
        pickle.dump(thing, file, protocol=protocol)
    return path


def pti_file(state: State, config: StyleGAN2Config, path: Path, *, archive: bool = True) -> Path:
    """A tuned generator, saved as a module with torch.save: an archive, or as before torch 1.6."""
    with nvidia_names():
        torch.save(nvidia_module(state, config), path, _use_new_zipfile_serialization=archive)
    return path
