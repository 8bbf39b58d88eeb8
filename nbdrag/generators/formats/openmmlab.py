"""StyleGAN2 as OpenMMLab's mmgeneration writes it: converted official weights, and own trainings.

A file is {"meta", "state_dict"}; the state dict has "generator." or "generator_ema." before its
names, or neither. The code follows rosinality's, so the names are translated into those. Weights
that are scaled when used (equalised learning rate) are called "weight_orig".
"""

from __future__ import annotations

from nbdrag.generators.formats.contents import Contents
from nbdrag.generators.formats.found import Checkpoint
from nbdrag.generators.formats.rosinality import read_as

ANCHOR = r"constant_input\.input|(?:conv1|to_rgb1)\.conv\.style_modulation\.linear\.weight_orig"
ANCHORS = (ANCHOR,)

RENAMINGS = (
    (r"style_mapping\.(\d+)\.(?:linear\.)?(weight|bias)(?:_orig)?$", r"style.\1.\2"),
    (r"constant_input\.input$", r"input.input"),
    (r"injected_noise_(\d+)$", r"noises.noise_\1"),
    (r"(.+)\.conv\.weight_orig$", r"\1.conv.weight"),
    (r"(.+)\.conv\.style_modulation\.linear\.weight_orig$", r"\1.conv.modulation.weight"),
    (r"(.+)\.conv\.style_modulation\.bias$", r"\1.conv.modulation.bias"),
    (r"(.+)\.noise_injector\.weight$", r"\1.noise.weight"),
)


def read(found: Contents) -> Checkpoint:
    """Read a generator.

    Raises
    ------
    CheckpointError
        If there is none, or one that is not supported.
    """
    return read_as("OpenMMLab StyleGAN2", found, ANCHOR, RENAMINGS)
