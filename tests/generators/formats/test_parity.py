"""Pictures of generators read from every kind of file, against golden arrays."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from nbdrag.generators.checkpoint import read_generator
from nbdrag.generators.stylegan2 import StyleGAN2Config
from tests.generators.formats.writing import (
    nvidia_module,
    nvidia_pickle,
    nvidia_snapshot,
    pti_file,
)
from tests.generators.formats.writing_rosinality import (
    basicsr_file,
    encoder_file,
    openmmlab_file,
    rosinality_file,
    rosinality_training_file,
)
from tests.generators.formats.writing_tensorflow import tensorflow_networks, tensorflow_pickle
from tests.goldens.reading import read_arrays, read_config, relative_error

TOLERANCE = 1e-5

ANY = {
    "snapshot": nvidia_snapshot,
    "snapshot of stylegan3": lambda s, c, path: nvidia_snapshot(s, c, path, code="stylegan3"),
    "snapshot, protocol 2": lambda s, c, path: nvidia_snapshot(s, c, path, protocol=2),
    "snapshot, protocol 5": lambda s, c, path: nvidia_snapshot(s, c, path, protocol=5),
    "average only": lambda s, c, path: nvidia_pickle({"G_ema": nvidia_module(s, c)}, path),
    "module": lambda s, c, path: nvidia_pickle(nvidia_module(s, c), path),
    "PTI": pti_file,
    "PTI of old": lambda s, c, path: pti_file(s, c, path, archive=False),
    "state dict": lambda s, c, path: torch.save(s, path),
    "state dict, safetensors": lambda s, c, path: save_file(s, path),
    "TensorFlow": lambda s, c, path: tensorflow_pickle(tensorflow_networks(s, c), path),
}
WITHOUT_LABELS = {
    "rosinality": lambda s, c, path: rosinality_file(s, path),
    "rosinality of old": lambda s, c, path: rosinality_file(s, path, archive=False),
    "rosinality, training": lambda s, c, path: rosinality_training_file(s, path),
    "e4e": lambda s, c, path: encoder_file(s, path),
    "OpenMMLab": lambda s, c, path: openmmlab_file(s, path),
    "OpenMMLab, one network": lambda s, c, path: openmmlab_file(s, path, prefix=""),
    "BasicSR": lambda s, c, path: basicsr_file(s, path),
}
SAMPLED = ("rosinality, training", "OpenMMLab", "OpenMMLab, one network", "BasicSR")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("tiny_skip", kind) for kind in ANY | WITHOUT_LABELS] + [("tiny_cond", kind) for kind in ANY],
)
def test_pictures_equal_golden(tmp_path, name, kind):
    config = StyleGAN2Config(**read_config(name)["generator"])
    state, golden = read_arrays(f"{name}/state.npz"), read_arrays(f"{name}/io.npz")
    path = tmp_path / "any name"
    (ANY | WITHOUT_LABELS)[kind](state, config, path)
    generator = read_generator(path)
    assert generator.config == config
    z, labels = golden["z"], golden.get("c")
    pictures = {1.0: "img_psi1_const"} | ({} if kind in SAMPLED else {0.7: "img_psi07_const"})
    for truncation, expected in pictures.items():
        if expected in golden:
            n = len(golden[expected])
            given = None if labels is None else labels[:n]
            image = generator(z[:n], given, truncation=truncation)
            assert relative_error(image, golden[expected]) < TOLERANCE
    if kind not in SAMPLED:
        assert torch.equal(generator.w_avg, state["mapping.w_avg"])


def test_written_pickles_would_run_code_elsewhere(tmp_path):
    """The structure is real: Python's own unpickler imports a name and calls it."""
    state, config = read_arrays("tiny_skip/state.npz"), read_config("tiny_skip")["generator"]
    path = nvidia_snapshot(state, StyleGAN2Config(**config), tmp_path / "x.pkl")
    with path.open("rb") as file, pytest.raises(ModuleNotFoundError, match=r"dnnlib|torch_utils"):
        pickle.load(file)
