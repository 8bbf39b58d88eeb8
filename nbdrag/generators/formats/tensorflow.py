"""StyleGAN2 as NVIDIA's TensorFlow codes write it: stylegan2 and stylegan2-ada.

A file is a pickled tuple (G, D, Gs) of networks, or one network; Gs is the average over the
training. A network keeps the source code of its construction (text to us), the arguments that it
was constructed with, its variables by name, and networks inside it: mapping and synthesis.

TensorFlow has the axes of weights in another order: rows, columns, inputs, outputs for a
convolution; inputs, outputs for a dense layer. A convolution that doubles the size is turned by
half a circle, since there it is written as the gradient of one that halves it; and the bias of a
style lacks the one that is added to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.construction import Weights, complete, construction
from nbdrag.generators.formats.contents import entries
from nbdrag.generators.formats.found import Checkpoint
from nbdrag.generators.formats.records import Call
from nbdrag.generators.formats.rosinality import convolution

State = Mapping[Any, Any]

VERSION = 4  # of the way networks are pickled, since StyleGAN2
USUAL: dict[str, Any] = {
    "mapping_nonlinearity": "lrelu",
    "nonlinearity": "lrelu",
    "resample_kernel": [1, 3, 3, 1],
    "normalize_latents": True,
}


def read(tree: object) -> Checkpoint | None:
    """Read a generator if the tree consists of TensorFlow networks.

    Raises
    ------
    CheckpointError
        If they are none of StyleGAN2, or such as are not supported.
    """
    parts = list(tree) if isinstance(tree, list | tuple) else [tree]
    networks = [state for part in parts if (state := network_state(part))]
    if not networks:
        return None
    generators = [state for state in networks if is_generator(state)]
    if not generators:
        raise CheckpointError("it holds TensorFlow networks, but no generator among them.")
    network = generators[-1]  # of (G, D, Gs) the last one
    refuse_variants(network)
    arguments = arguments_of(network)
    weights: Weights = {}
    growing = False
    for name, tensor in variables(network):
        if re.fullmatch(r"(synthesis/)?lod", name):
            growing |= bool((tensor > 0).any())
        elif not re.match(r"synthesis/ToRGB_lod[1-9]", name):  # of smaller pictures, earlier
            weights.update([ours(name, tensor, arguments.get("resolution", 1024))])
    if growing:
        raise CheckpointError("its generator is still growing, in the middle of a training.")
    config = construction(
        weights,
        architecture=arguments.get("architecture", "skip"),
        conv_clamp=arguments.get("conv_clamp"),
        learning_rate=arguments.get("mapping_lrmul", 0.01),
        rule=channel_rule(arguments),
    )
    weights, notes = complete(weights, config)
    return Checkpoint(config, weights, f"TensorFlow StyleGAN2, {network.get('name')}", notes)


# ---------------------------------------------------------------------------------------- networks


def network_state(node: object) -> State | None:
    """What a TensorFlow network keeps; None for anything else."""
    state = entries(node) if isinstance(node, Call) else {}
    return state if {"variables", "static_kwargs"} <= state.keys() else None


def components(network: State) -> Iterator[tuple[str, State]]:
    """Give the networks inside a network, by name."""
    for name, part in entries(network.get("components")).items():
        if state := network_state(part):
            yield str(name), state


def variables(network: State, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Give the variables of a network and of those inside it."""
    own = network["variables"]
    for pair in own if isinstance(own, list | tuple) else ():
        if isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[1], Tensor):
            yield f"{prefix}{pair[0]}", pair[1]
    for name, part in components(network) if depth < 2 else ():
        yield from variables(part, f"{prefix}{name}/", depth + 1)


def is_generator(network: State) -> bool:
    """Tell a generator from a discriminator, by what it starts from."""
    return any(name.endswith("4x4/Const/const") for name, _ in variables(network))


def refuse_variants(network: State) -> None:
    """Refuse what isn't StyleGAN2, or isn't supported of it."""
    names = [name for name, _ in variables(network)]
    version = network.get("version")
    styled = any("/StyleMod/" in name for name in names)
    if not isinstance(version, int) or version < VERSION or styled:
        raise CheckpointError(
            "it is a StyleGAN1 or an older network of TensorFlow; StyleGAN2 is supported."
        )
    if any("LabelConcat" in name for name in names):
        raise CheckpointError(
            "its generator appends labels to z as the first StyleGAN2 code did; labels as in "
            "stylegan2-ada are supported."
        )
    arguments = arguments_of(network)
    for argument, usual in USUAL.items():
        value = arguments.get(argument, usual)
        if value != usual:
            raise CheckpointError(
                f"its generator has {argument} {value!r}; only {usual!r} is supported."
            )


def arguments_of(network: State) -> State:
    """The arguments that a network was constructed with; arrays as lists or numbers."""
    return {
        name: value.tolist() if isinstance(value, Tensor) else value
        for name, value in entries(network["static_kwargs"]).items()
    }


def channel_rule(arguments: State) -> tuple[int, int] | None:
    """The `channel_base` and `channel_max` that the arguments say."""
    base, most = arguments.get("fmap_base", 16384), arguments.get("fmap_max", 512)
    return (2 * base, most) if isinstance(base, int) and isinstance(most, int) else None


# ----------------------------------------------------------------------------------- names, shapes

LAYERS = {"Conv": "conv1", "Conv0_up": "conv0", "Conv1": "conv1", "ToRGB": "torgb", "Skip": "skip"}
WITHIN_LAYER = {
    "weight": "weight",
    "bias": "bias",
    "noise_strength": "noise_strength",
    "mod_weight": "affine.weight",
    "mod_bias": "affine.bias",
}


def ours(name: str, tensor: Tensor, resolution: object) -> tuple[str, Tensor]:
    """Give a variable under our name and in our shape; an unknown one stays as it is."""
    if name == "dlatent_avg":
        return "mapping.w_avg", tensor
    if match := re.fullmatch(r"mapping/(?:Dense(\d{1,4})|LabelEmbed)/(weight|bias)", name):
        layer = f"fc{int(match[1])}" if match[1] else "embed"
        return f"mapping.{layer}.{match[2]}", transposed(tensor)
    if match := re.fullmatch(r"synthesis/noise(\d{1,2})", name):
        return f"synthesis.{convolution(int(match[1]))}.noise_const", without_ones(tensor, 2)
    if name == "synthesis/4x4/Const/const":
        return "synthesis.b4.const", without_ones(tensor, 1)
    name = re.sub(r"(?<=^synthesis/)ToRGB_lod0(?=/)", f"{resolution}x{resolution}/ToRGB", name)
    if match := re.fullmatch(r"synthesis/(\d{1,5})x\1/(\w+)/(\w+)", name):
        r, layer, rest = match.groups()
        if layer in LAYERS and rest in WITHIN_LAYER:
            target = f"synthesis.b{int(r)}.{LAYERS[layer]}.{WITHIN_LAYER[rest]}"
            if rest == "weight" and layer in ("Conv0_up", "Skip") and tensor.ndim == 4:
                tensor = tensor.flip(0, 1)
            return target, tensor + 1 if rest == "mod_bias" else transposed(tensor)
    return name, tensor


def transposed(tensor: Tensor) -> Tensor:
    """Put the axes of a weight into our order: outputs, inputs, rows, columns."""
    if tensor.ndim == 4:
        return tensor.permute(3, 2, 0, 1)
    return tensor.T if tensor.ndim == 2 else tensor


def without_ones(tensor: Tensor, axes: int) -> Tensor:
    """Drop so many axes of length one from the front."""
    for _ in range(axes):
        tensor = tensor[0] if tensor.ndim and len(tensor) == 1 else tensor
    return tensor
