"""Files that hold no StyleGAN2 generator, named."""

import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from nbdrag.generators.checkpoint import read_generator
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import foreign, read_checkpoint
from tests.generators.formats.states import SMALL, make_state
from tests.generators.formats.writing import EasyDict, Persistent, nvidia_module, nvidia_pickle
from tests.generators.formats.writing_rosinality import rosinality_state

ONE = torch.ones(2, 2)


def refusal(tmp_path, content):
    path = tmp_path / "x.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert message.startswith("x.pt: it holds ")
    assert "Supported are StyleGAN2 generators of NVIDIA" in message
    return message


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["mapping.fc0.weight", "synthesis.input.affine.weight"], "a StyleGAN3 generator"),
        (["synthesis.L0_36_512.weight", "D.b4.out.weight"], "a StyleGAN3 generator"),
        (["mapping.embed_proj.weight", "synthesis.input.affine.weight"], "a StyleGAN-XL generator"),
        (["backbone.synthesis.b4.const", "decoder.net.0.weight"], "an EG3D generator"),
        (["g_synthesis.blocks.4x4.const", "g_mapping.dense0.weight"], "a StyleGAN1 generator"),
        (["generator.progression.0.conv1.conv.weight_orig"], "a StyleGAN1 generator"),
        (["synthesis.layer0.weight", "mapping.dense0.weight"], "GenForce"),
        (["GE.blocks.0.to_style1.weight"], "lucidrains"),
        (["stylegan_decoder.style_conv1.weight"], "GFPGAN"),
        (["model.diffusion_model.input_blocks.0.0.weight"], "a diffusion model"),
        (["down_blocks.0.resnets.0.conv1.weight", "conv_in.weight"], "the UNet of a diffusion"),
        (["transformer_blocks.0.attn.to_q.weight", "x_embedder.proj.weight"], "transformer"),
        (["lora_unet_down_blocks_0_attentions_0.lora_down.weight"], "a LoRA"),
        (["unet.down_blocks.0.attn1.to_q.lora_A.weight"], "a LoRA"),
        (["decoder.up_blocks.0.resnets.0.conv1.weight", "post_quant_conv.weight"], "a VAE"),
        (["encoder.down.0.block.0.conv1.weight"], "a VAE"),
        (["visual.conv1.weight", "text_projection"], "CLIP"),
        (["model.layers.0.self_attn.q_proj.weight"], "a language model"),
        (["b64.fromrgb.weight", "b4.out.weight"], "a discriminator"),
        (["final_conv.0.weight", "final_linear.0.weight"], "a discriminator"),
        (["encoder.input_layer.0.weight", "encoder.styles.0.convs.0.weight"], "an encoder"),
        (["mapping.fc0.weight", "mapping.fc0.bias"], "a mapping network alone"),
        (["layer1.0.conv1.weight", "fc.weight"], "recognises images"),
    ],
)
@pytest.mark.parametrize("wrap", [dict, lambda names: {"state_dict": names, "epoch": 3}])
def test_known_networks_are_named(tmp_path, names, what, wrap):
    assert what in refusal(tmp_path, wrap(dict.fromkeys(names, ONE)))


def test_they_are_named_in_safetensors_too(tmp_path):
    path = tmp_path / "style.safetensors"
    save_file({"lora_unet_mid_block_attentions_0.lora_up.weight": ONE}, path)
    with pytest.raises(CheckpointError, match=r"style\.safetensors: it holds a LoRA"):
        read_generator(path)


def test_wavelets_are_told_from_pictures(tmp_path):
    state = rosinality_state(make_state(SMALL)) | {"to_rgbs.0.iwt.ll": ONE}
    assert "a SWAGAN generator" in refusal(tmp_path, {"g_ema": state})


def test_latents_are_told_from_networks(tmp_path):
    shape = r"a latent, or several, of shape (1, 18, 512)"
    assert shape in refusal(tmp_path, torch.zeros(1, 18, 512))
    assert shape in refusal(tmp_path, [torch.zeros(1, 18, 512)])
    assert shape in refusal(tmp_path, {"w": torch.zeros(1, 18, 512)})
    path = tmp_path / "w.pkl"
    path.write_bytes(pickle.dumps(np.zeros((1, 18, 512), np.float32)))
    with pytest.raises(CheckpointError, match="a latent, or several"):
        read_checkpoint(path)


def test_unknown_networks_are_named_by_their_tensors(tmp_path):
    message = refusal(tmp_path, dict.fromkeys(["up.w", "down.w", "left.w", "right.w"], ONE))
    assert "tensors of no known generator: up.w, down.w, left.w ..." in message


def test_files_without_tensors(tmp_path):
    assert "holds no tensors" in refusal(tmp_path, {"loss": 0.5})
    assert "holds no tensors" in refusal(tmp_path, [])
    assert "holds no tensors" in refusal(tmp_path, "text")


def test_modules_of_other_networks_are_named(tmp_path):
    discriminator = Persistent("Discriminator", 6, EasyDict())
    block = Persistent("DiscriminatorEpilogue", 6, EasyDict())
    block.add_module("out", torch.nn.Linear(2, 1))
    discriminator.add_module("b4", block)
    with pytest.raises(CheckpointError, match="it holds a discriminator"):
        read_checkpoint(nvidia_pickle(discriminator, tmp_path / "D.pkl"))


def test_a_generator_inside_another_network_is_not_taken_for_itself(tmp_path):
    module = Persistent("TriPlaneGenerator", 6, EasyDict())
    module.add_module("backbone", nvidia_module(make_state(SMALL), SMALL))
    with pytest.raises(CheckpointError, match="an EG3D generator"):
        read_checkpoint(nvidia_pickle({"G_ema": module}, tmp_path / "eg3d.pkl"))


def test_names_alone_are_enough():
    assert foreign.name_of(["synthesis.L0_36_512.weight"]) == "a StyleGAN3 generator"
    assert foreign.name_of(["x" * 100_000]) is None
