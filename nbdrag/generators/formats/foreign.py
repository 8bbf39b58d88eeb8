"""What a file is that holds no generator of ours, by name.

People arrive with all sorts of checkpoints. Which one it is shows in the names of its tensors: the
first line of a table that fits says it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from itertools import islice

from torch import Tensor

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.contents import Contents

SUPPORTED = (
    "Supported are StyleGAN2 generators of NVIDIA (PyTorch and TensorFlow, also as tuned by PTI), "
    "rosinality (also in pSp and e4e), OpenMMLab, and our own .safetensors."
)

MANY = 20_000  # names are enough to recognise a network by

# Networks that have a StyleGAN2 inside, which can't be used without the rest.
AROUND = (
    ("an EG3D generator, or one like it, which makes 3D scenes", r"backbone\.synthesis\.b4\."),
    ("GFPGAN, or another network that restores faces", r"stylegan_decoder(dotdict)?\."),
    ("a SWAGAN generator, which makes wavelets", r"to_rgbs\.\d+\.iwt\."),
)

KNOWN = (
    ("a StyleGAN-XL generator", r"mapping\.embed_proj\."),
    ("a StyleGAN3 generator", r"synthesis\.(input\.affine|L\d+_\d+_\d+)\."),
    ("a StyleGAN1 generator", r"g_synthesis\.|synthesis\.blocks\.4x4\.|progression\.0\."),
    ("a StyleGAN generator in GenForce's form", r"synthesis\.layer\d+\."),
    ("a generator of lucidrains' stylegan2-pytorch", r"blocks\.\d+\.to_style1\."),
    ("a LoRA, a small change to a diffusion model", r"\S*lora_(down|up|A|B|te|unet)|\S*hada_w1"),
    ("a diffusion model", r"model\.diffusion_model\.|first_stage_model\.|cond_stage_model\."),
    ("a VAE", r"(encoder|decoder)\.(down|up|mid)(_blocks?)?\.|(post_)?quant_conv\."),
    ("the UNet of a diffusion model", r"(down|up|input|output)_blocks\.\d|time_embed(ding)?\."),
    ("a diffusion transformer", r"(double|single|joint|transformer)_blocks\.\d|x_embedder\."),
    ("CLIP", r"(text|vision)_model\.|visual\.\w+\.|text_projection|transformer\.resblocks\."),
    ("a language model", r"(model|transformer|encoder)\.(layers?|h|block)\.\d+\.|bert\."),
    ("a discriminator", r"b\d+\.fromrgb\.|b4\.out\.|final_(conv|linear)\.\d|discriminator\."),
    ("an encoder (pSp, e4e) without its decoder", r"(encoder\.)?(input_layer\.0|styles\.0)\."),
    ("a mapping network alone", r"mapping\.fc\d+\.|style\.1\.(weight|bias)|style_mapping\.1\."),
    ("a network that recognises images", r"layer1\.0\.|features\.\d|\S*res_layer\.|lin0\.model\."),
)


def refuse(found: Contents) -> None:
    """Refuse networks that only look like a generator that can be read."""
    if name := first_fit(AROUND, found.tensors):
        raise CheckpointError(f"it holds {name}. {SUPPORTED}")


def describe(found: Contents) -> str:
    """Say what a file is that no format knows."""
    if name := name_of(found.tensors):
        return f"it holds {name}. {SUPPORTED}"
    if not found.tensors:
        return f"it holds no tensors, so no network. {SUPPORTED}"
    shapes = sorted({tuple(tensor.shape) for tensor in found.tensors.values()})
    if are_latents(found.tensors.values()):
        return f"it holds no network, but a latent, or several, of shape {shapes[0]}. {SUPPORTED}"
    first = ", ".join(name or "one without a name" for name in list(found.tensors)[:3])
    return (
        f"it holds tensors of no known generator: {first}"
        f"{' ...' if len(found.tensors) > 3 else ''}. {SUPPORTED}"
    )


def name_of(names: Collection[str]) -> str | None:
    """Say what network some tensors are of, by their names, if that is known.

    Parameters
    ----------
    names : collection of str
        As in a state dict.

    Returns
    -------
    str or None
        With an article: "a StyleGAN3 generator".
    """
    return first_fit(AROUND + KNOWN, names)


def first_fit(table: Iterable[tuple[str, str]], names: Collection[str]) -> str | None:
    """Give the first line of a table whose pattern begins a name, or a part of one."""
    for what, pattern in table:
        fits = re.compile(rf"(?:.*\.)?(?:{pattern})")
        if any(fits.match(name) for name in islice(names, MANY)):
            return what
    return None


def are_latents(tensors: Iterable[Tensor]) -> bool:
    """Tell whether tensors are z, w or rows of w."""
    shapes = {tuple(tensor.shape) for tensor in tensors}
    return len(shapes) == 1 and all(1 <= len(s) <= 3 and s[-1] in (128, 256, 512) for s in shapes)
