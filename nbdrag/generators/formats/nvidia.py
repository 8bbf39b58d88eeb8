"""StyleGAN2 as NVIDIA's PyTorch codes write it: stylegan2-ada-pytorch and stylegan3.

Their networks are pickled whole, with the source code of their class (which is text to us, and
never looked at), and with all that the modules keep: weights, and numbers such as the clamp of
every layer. PTI writes the same networks with torch.save; others save just the state dict. The
names of the weights are those of our own state dict.

What a layer says of itself counts; where it doesn't (a state dict says nothing), what the network
was constructed with; where that isn't known either, the defaults that both codes share.
"""

from __future__ import annotations

import re

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.construction import Architecture, complete, construction
from nbdrag.generators.formats.contents import Contents, Fact, Facts, find_network
from nbdrag.generators.formats.found import Checkpoint

ANCHOR = r"synthesis\.b\d+\.(?:const|conv[01]\.weight|torgb\.weight)"
LONE = r"b4\.const"  # of a synthesis network by itself
ANCHORS = (ANCHOR, LONE)

# Who states what, the most reliable first: layers, or what was passed to them, from the inside out.
CONVOLUTION = r"synthesis\.b\d+\.(?:conv0|conv1|torgb)"
DENSE = r"mapping\.fc\d+"
WHOLE = r"(?:[^.]+\.)?(?:_?init_kwargs|G_kwargs)"
SYNTHESIS = (
    rf"{CONVOLUTION}\._init_kwargs",
    r"synthesis(?:\.b\d+)?\._init_kwargs",
    r"(?:.*\.)?synthesis_kwargs",
    WHOLE,
)
MAPPING = (r"mapping(?:\.fc\d+)?\._init_kwargs", r"(?:.*\.)?mapping_kwargs", WHOLE)
ARGUMENTS = r"(?:.*\.)?(?:init_kwargs|G_kwargs|synthesis_kwargs|mapping_kwargs)\..*"


def read(found: Contents) -> Checkpoint:
    """Read a generator.

    Raises
    ------
    CheckpointError
        If there is none, or one that is not supported.
    """
    network = find_network(found, ANCHOR)
    if network is None:
        raise CheckpointError(
            "it holds a synthesis network alone; the mapping network is needed too. Save the whole "
            "generator, G_ema."
        )
    said = [network.facts, arguments_beside(found.facts)]
    for facts in said:
        refuse_variants(facts)
    rate = number("bias_gain", said, DENSE)
    if rate is None:
        rate = number("lr_multiplier", said, *MAPPING)
    config = construction(
        network.tensors,
        architecture=architecture(said),
        conv_clamp=number("conv_clamp", said, CONVOLUTION, *SYNTHESIS),
        learning_rate=0.01 if rate is None else rate,
        rule=channel_rule(said),
    )
    weights, notes = complete(network.tensors, config)
    name = f", {network.name}" if network.name else ""
    return Checkpoint(config, weights, f"NVIDIA StyleGAN2{name}", notes)


# ------------------------------------------------------------------------- what the file says of it


def arguments_beside(facts: Facts) -> Facts:
    """What a file says, beside its networks, of how the generator was constructed."""
    given = {name: fact for name, fact in facts.items() if re.fullmatch(ARGUMENTS, name)}
    others = re.compile(r"\b(D|d|discriminator|D_kwargs)\b")
    return {name: fact for name, fact in given.items() if not others.search(name)}


def stated(name: str, said: list[Facts], *owners: str) -> set[Fact | tuple[Fact, ...]]:
    """What is stated under a name, by the first of some owners, regular expressions, that do."""
    for owner in owners:
        pattern = re.compile(rf"(?:{owner})\.{name}")
        for facts in said:
            if values := {fact for key, fact in facts.items() if pattern.fullmatch(key)}:
                return values
    return set()


def number(name: str, said: list[Facts], *owners: str) -> float | None:
    """The number stated under a name, on which all owners have to agree."""
    values = stated(name, said, *owners) or {None}
    if len(values) > 1:
        raise CheckpointError(
            f"the generator's layers have different {name} ({', '.join(map(repr, values))}); one "
            f"for all is supported."
        )
    (value,) = values
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise CheckpointError(f"the generator's {name} is {value!r}; it must be a number.")
    return value


def channel_rule(said: list[Facts]) -> tuple[int, int]:
    """The `channel_base` and `channel_max` that are stated, or the defaults."""
    base = number("channel_base", said, *SYNTHESIS)
    most = number("channel_max", said, *SYNTHESIS)
    return base if isinstance(base, int) else 32768, most if isinstance(most, int) else 512


def architecture(said: list[Facts]) -> Architecture:
    """The architecture, as far as it is stated."""
    values = stated("architecture", said, r"synthesis\.b\d+", *SYNTHESIS)
    for known in ("resnet", "orig"):
        if values == {known}:
            return known
    return "skip"


def refuse_variants(facts: Facts) -> None:
    """Refuse what the code can do and ours can't."""
    for key, fact in facts.items():
        *owners, name = key.split(".")
        linear = not {"affine", "embed", "skip"}.isdisjoint(owners)
        usual: dict[str, Fact | tuple[Fact, ...]] = {
            "activation": "linear" if linear else "lrelu",
            "resample_filter": (1, 3, 3, 1),
        }
        if linear:
            usual["bias_gain"] = 1
        if name in usual and fact != usual[name]:
            raise CheckpointError(
                f"the generator has {name} {fact!r} in {'.'.join(owners)}; only {usual[name]!r} is "
                f"supported there."
            )
