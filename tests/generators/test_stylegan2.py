"""The generator against golden arrays, against itself, and against bad input."""

import dataclasses
import json
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from tests.goldens.reading import read_arrays, read_generator, relative_error

TOLERANCE = 1e-5
TINY = StyleGAN2Config(
    resolution=32, z_dim=12, w_dim=8, mapping_layers=2, channel_base=256, channel_max=16
)
ARCHITECTURES = ("skip", "resnet", "orig")


def make(config: StyleGAN2Config = TINY, seed: int = 0) -> Generator:
    """A generator whose biases and noise strengths matter."""
    rng = torch.Generator().manual_seed(seed)
    generator = Generator(config, rng)
    with torch.no_grad():
        for parameter in generator.parameters():
            if parameter.ndim < 2:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=rng))
    return generator


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------------------------------- goldens


@pytest.mark.parametrize("name", ["tiny_skip", "tiny_cond", "drag_p1", "drag_p1_resize"])
def test_state_dict_has_the_official_names(name):
    generator = read_generator(name)
    assert list(generator.state_dict()) == list(read_arrays(f"{name}/state.npz"))


@pytest.mark.parametrize("name", ["tiny_skip", "tiny_cond"])
def test_mapping_equals_golden(name):
    generator, golden = read_generator(name), read_arrays(f"{name}/io.npz")
    z, labels = golden["z"], golden.get("c")
    for options, expected in (
        ({}, "ws_psi1"),
        ({"truncation": 0.7}, "ws_psi07"),
        ({"truncation": 0.7, "truncated_rows": 4}, "ws_psi07_cut4"),
    ):
        ws = generator.mapping(z, labels, **options)
        assert relative_error(ws, golden[expected]) < TOLERANCE


@pytest.mark.parametrize("name", ["tiny_skip", "tiny_cond"])
def test_pictures_equal_golden(name):
    generator, golden = read_generator(name), read_arrays(f"{name}/io.npz")
    for ws, noise, expected in (
        ("ws_psi1", "const", "img_psi1_const"),
        ("ws_psi07", "const", "img_psi07_const"),
        ("ws_psi1", "none", "img_psi1_none"),
    ):
        if expected in golden:
            pictures = golden[expected]
            image = generator.synthesis(golden[ws][: len(pictures)], noise=noise).image
            assert relative_error(image, pictures) < TOLERANCE


def test_every_block_equals_golden():
    generator, golden = read_generator("tiny_skip"), read_arrays("tiny_skip/io.npz")
    ws, blocks = golden["ws_psi07"][:1], generator.block_resolutions
    features = generator.synthesis(ws, taps=blocks).features
    for resolution in blocks:
        assert relative_error(features[resolution], golden[f"feat_b{resolution}"]) < TOLERANCE
        image = generator.synthesis(ws, until=resolution).image
        assert relative_error(image, golden[f"rgbacc_b{resolution}"]) < TOLERANCE


def test_independent_rows_and_their_gradients_equal_golden():
    generator, golden = read_generator("tiny_skip"), read_arrays("tiny_skip/io.npz")
    blocks = generator.block_resolutions
    ws = golden["wplus"].requires_grad_()
    image, features = generator.synthesis(ws, taps=blocks)
    assert relative_error(image, golden["wplus_img"]) < TOLERANCE
    for resolution in blocks:
        assert relative_error(features[resolution], golden[f"wplus_feat_b{resolution}"]) < TOLERANCE
    for output, weights, expected in (
        (image, "gradR_img", "grad_wplus_of_mean_imgR"),
        (features[32], "gradR_b32", "grad_wplus_of_mean_b32R"),
    ):
        loss = (output * golden[weights]).mean()
        (gradient,) = torch.autograd.grad(loss, ws, retain_graph=True)
        assert relative_error(gradient, golden[expected]) < TOLERANCE


# ----------------------------------------------------------------------------- an early stop, taps


def test_until_gives_the_same_features_and_computes_no_later_layer():
    generator = make()
    ws = normal(2, TINY.num_ws, TINY.w_dim)
    whole = generator.synthesis(ws, taps=TINY.block_resolutions)
    ran: list[str] = []
    for name, module in generator.synthesis.named_modules():
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
    stopped = generator.synthesis(ws, until=8, taps=(8,))
    assert torch.equal(stopped.features[8], whole.features[8])
    assert set(stopped.features) == {8}
    assert stopped.image.shape == (2, 3, 8, 8)
    assert {name.split(".")[0] for name in ran if name} == {"b4", "b8"}


def test_until_the_last_block_is_the_whole():
    generator, ws = make(), normal(1, TINY.num_ws, TINY.w_dim)
    assert torch.equal(generator.synthesis(ws, until=32).image, generator.synthesis(ws).image)


def test_each_row_steers_its_own_layer():
    """Changing row i leaves all features before convolution i as they are."""
    generator, ws = make(), normal(1, TINY.num_ws, TINY.w_dim)
    blocks = TINY.block_resolutions
    before = generator.synthesis(ws, taps=blocks)
    for row in range(TINY.num_ws):
        other = ws.clone()
        other[:, row] += 1
        after = generator.synthesis(other, taps=blocks)
        changed = [r for r in blocks if not torch.equal(after.features[r], before.features[r])]
        assert changed == [r for i, r in enumerate(blocks) if row <= 2 * i]
        assert not torch.equal(after.image, before.image)


def test_preview_uses_the_row_after_the_blocks_convolutions():
    """ToRGB of block 8 shares row 3 with the first convolution of block 16."""
    generator = make()
    ws = normal(1, TINY.num_ws, TINY.w_dim).requires_grad_()
    (gradient,) = torch.autograd.grad(generator.synthesis(ws, until=8).image.sum(), ws)
    assert gradient.abs().sum(dim=2).gt(0)[0].tolist() == [i <= 3 for i in range(TINY.num_ws)]


# --------------------------------------------------------------------------------- own reference


def slow_synthesis(generator: Generator, ws: Tensor) -> Tensor:
    """Eq. 1-3 of the paper to the letter: weights modulated, zeros in between, one by one."""
    config, state = generator.config, generator.state_dict()

    def convolve(x: Tensor, key: str, w: Tensor, up: bool, demodulate: bool) -> Tensor:
        affine = state[f"{key}.affine.weight"], state[f"{key}.affine.bias"]
        style = w @ affine[0].T / config.w_dim**0.5 + affine[1]
        weight = state[f"{key}.weight"] * style[None, :, None, None]
        if demodulate:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        else:
            weight = weight / weight.shape[1] ** 0.5
        if not up:
            return nn.functional.conv2d(x[None], weight, padding=weight.shape[-1] // 2)[0]
        spread = x.new_zeros(len(x), 2 * x.shape[1] + 3, 2 * x.shape[2] + 3)
        spread[:, 2:-2:2, 2:-2:2] = x  # zeros in between, two pixels of margin
        x = nn.functional.conv2d(spread[None], weight.flip(2, 3))[0]  # a true convolution
        return smooth(x)

    def smooth(x: Tensor) -> Tensor:
        taps = torch.tensor([1, 3, 3, 1], dtype=x.dtype) / 4
        kernel = torch.outer(taps, taps)[None, None]
        return nn.functional.conv2d(x[:, None], kernel, padding=1)[:, 0]

    def enlarge(x: Tensor) -> Tensor:
        spread = x.new_zeros(len(x), 2 * x.shape[1] + 1, 2 * x.shape[2] + 1)
        spread[:, 1::2, 1::2][:, : x.shape[1], : x.shape[2]] = x
        return smooth(spread)

    def clamp(x: Tensor, gain: float = 1) -> Tensor:
        bound = config.conv_clamp
        return x if bound is None else x.clamp(-bound * gain, bound * gain)

    def layer(x: Tensor, key: str, w: Tensor, up: bool, gain: float = 1) -> Tensor:
        x = convolve(x, key, w, up, demodulate=True)
        x = x + state[f"{key}.noise_const"] * state[f"{key}.noise_strength"]
        x = x + state[f"{key}.bias"][:, None, None]
        return clamp(nn.functional.leaky_relu(x, 0.2) * 2**0.5 * gain, gain)

    def rgb(x: Tensor, key: str, w: Tensor) -> Tensor:
        x = convolve(x, key, w, up=False, demodulate=False)
        return clamp(x + state[f"{key}.bias"][:, None, None])

    x, image, row = state["synthesis.b4.const"], None, 0
    gain = 0.5**0.5 if config.architecture == "resnet" else 1
    for resolution in config.block_resolutions:
        key = f"synthesis.b{resolution}"
        if resolution == 4:
            x = layer(x, f"{key}.conv1", ws[row], up=False)
            row += 1
        else:
            shortcut: Tensor | float = 0
            if config.architecture == "resnet":
                weight = state[f"{key}.skip.weight"] / len(x) ** 0.5 * gain
                shortcut = enlarge(nn.functional.conv2d(x[None], weight)[0])
            x = layer(x, f"{key}.conv0", ws[row], up=True)
            x = layer(x, f"{key}.conv1", ws[row + 1], up=False, gain=gain) + shortcut
            row += 2
        if config.architecture == "skip" or resolution == config.resolution:
            own = rgb(x, f"{key}.torgb", ws[row])
            image = own if image is None else enlarge(image) + own
    assert image is not None
    return image


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "others",
    [{}, {"conv_clamp": 0.8}, {"base_width": 2}, {"base_width": 7, "block_channels": (5, 7, 3, 6)}],
    ids=str,
)
def test_equals_the_equations_written_out(architecture, others):
    config = dataclasses.replace(TINY, architecture=architecture, **others)
    generator = make(config).double()
    ws = normal(2, config.num_ws, config.w_dim).double()
    image = generator.synthesis(ws).image
    assert image.dtype == torch.float64
    assert image.shape == (2, 3, generator.height, generator.width)
    for i in range(2):
        assert relative_error(image[i], slow_synthesis(generator, ws[i])) < 1e-12


def test_mapping_equals_the_equations_written_out():
    config = dataclasses.replace(
        TINY, num_labels=3, mapping_layers=3, mapping_width=7, embed_width=5,
        mapping_learning_rate=0.1,
    )  # fmt: skip
    generator = make(config).double()
    state, z, label = generator.state_dict(), normal(config.z_dim).double(), 2
    embedded = state["mapping.embed.weight"][:, label] / 3**0.5 + state["mapping.embed.bias"]
    x = torch.cat([v / (v.square().mean() + 1e-8).sqrt() for v in (z, embedded)])
    for i in range(3):
        weight, bias = state[f"mapping.fc{i}.weight"], state[f"mapping.fc{i}.bias"]
        x = 0.1 * (weight @ x / len(x) ** 0.5 + bias)
        x = torch.where(x > 0, x, 0.2 * x) * 2**0.5
    [ws] = generator.mapping(z[None], torch.eye(3)[label][None])
    assert relative_error(ws, x.expand_as(ws)) < 1e-12


@given(
    resolution=st.sampled_from([4, 8, 16, 64]),
    w_dim=st.integers(1, 9),
    num_labels=st.integers(0, 3),
    mapping_layers=st.integers(1, 3),
    channel_max=st.integers(1, 9),
    architecture=st.sampled_from(ARCHITECTURES),
    base_width=st.integers(1, 6),
)
@settings(max_examples=25, deadline=None)
def test_any_construction_runs(
    resolution, w_dim, num_labels, mapping_layers, channel_max, architecture, base_width
):
    config = StyleGAN2Config(
        resolution=resolution,
        z_dim=5,
        w_dim=w_dim,
        num_labels=num_labels,
        mapping_layers=mapping_layers,
        channel_base=2 * resolution,
        channel_max=channel_max,
        architecture=architecture,
        base_width=base_width,
    )
    generator = Generator(config)
    labels = torch.eye(num_labels)[:1].repeat(3, 1) if num_labels else None
    ws = generator.mapping(normal(3, 5), labels)
    assert ws.shape == (3, generator.num_ws, w_dim)
    image, features = generator.synthesis(ws, taps=generator.block_resolutions)
    assert image.shape == (3, 3, resolution, resolution * base_width // 4)
    assert image.isfinite().all()
    for r, tapped in features.items():
        assert tapped.shape == (3, config.channels(r), r, r * base_width // 4)


# ------------------------------------------------------------------------- types, noise, gradients


def test_bfloat16_is_close_and_gives_float32_pictures_and_gradients():
    generator = read_generator("tiny_skip")
    ws = read_arrays("tiny_skip/io.npz")["ws_psi07"]
    exact = generator.synthesis(ws).image
    image, features = generator.synthesis(ws, taps=(16,), dtype=torch.bfloat16)
    assert image.dtype == torch.float32
    assert features[16].dtype == torch.bfloat16
    assert relative_error(image, exact) < 0.02
    image.square().mean().backward()
    gradients = {name: p.grad for name, p in generator.synthesis.named_parameters()}
    assert all(g is not None and g.dtype == torch.float32 for g in gradients.values())
    generator.zero_grad()
    generator.synthesis(ws).image.square().mean().backward()
    for name, parameter in generator.synthesis.named_parameters():
        assert parameter.grad is not None
        if parameter.ndim == 4:
            assert relative_error(gradients[name], parameter.grad) < 0.1, name


def test_the_networks_own_dtype_is_the_default():
    generator, ws = make(), normal(1, TINY.num_ws, TINY.w_dim)
    once = generator.synthesis(ws, dtype=torch.bfloat16).image
    generator.synthesis.dtype = torch.bfloat16
    assert torch.equal(generator.synthesis(ws).image, once)
    assert not torch.equal(generator.synthesis(ws, dtype=torch.float32).image, once)


def test_gradients_are_those_of_finite_differences():
    generator = make(dataclasses.replace(TINY, resolution=8)).double().requires_grad_(False)
    ws = normal(1, generator.num_ws, TINY.w_dim).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda ws: generator.synthesis(ws).image, ws)
    assert torch.autograd.gradgradcheck(
        lambda ws: generator.synthesis(ws).image.mean((2, 3)), ws, atol=1e-4
    )


def test_pictures_of_a_batch_do_not_know_of_each_other():
    generator, ws = make(), normal(3, TINY.num_ws, TINY.w_dim)
    together = generator.synthesis(ws).image
    for i in range(3):
        assert relative_error(together[i : i + 1], generator.synthesis(ws[i : i + 1]).image) < 1e-6


def test_fresh_noise_comes_from_the_generator_given():
    generator, ws = make(), normal(2, TINY.num_ws, TINY.w_dim)

    def picture(seed: int) -> Tensor:
        return generator.synthesis(ws, noise=torch.Generator().manual_seed(seed)).image

    assert torch.equal(picture(3), picture(3))
    assert not torch.equal(picture(3), picture(4))
    alike = ws[:1].expand(2, -1, -1)
    first, second = generator.synthesis(alike, noise=torch.Generator().manual_seed(3)).image
    assert not torch.equal(first, second)


def test_global_random_numbers_are_left_alone():
    before = torch.get_rng_state()
    generator = Generator(TINY)
    rng = torch.Generator().manual_seed(1)
    generator(torch.randn(2, TINY.z_dim, generator=rng), noise=rng)
    assert torch.equal(torch.get_rng_state(), before)


def test_initial_weights_depend_on_the_generator_given_alone():
    first, again, other = Generator(TINY), Generator(TINY), make(seed=1)
    state = first.state_dict()
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in state.items())
    assert not torch.equal(state["mapping.fc0.weight"], other.state_dict()["mapping.fc0.weight"])


def test_initial_signals_keep_their_variance():
    """What equalised learning rate, demodulation and the rectifier's gain are for."""
    config = StyleGAN2Config(
        resolution=64, z_dim=64, w_dim=64, mapping_layers=4, channel_base=4096, channel_max=64
    )
    generator = Generator(config)
    ws = generator.mapping(normal(8, 64))
    assert 0.5 < ws.square().mean() < 2
    features = generator.synthesis(ws, taps=config.block_resolutions).features
    for tapped in features.values():
        assert 0.1 < tapped.square().mean() < 3  # the filter takes a little at every doubling


def test_inputs_are_left_as_they_were():
    generator, ws = make(), normal(1, TINY.num_ws, TINY.w_dim)
    state = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    copy = ws.clone()
    generator.synthesis(ws, noise=torch.Generator())
    generator.mapping(normal(4, TINY.z_dim), truncation=0.5)
    assert torch.equal(ws, copy)
    assert all(torch.equal(tensor, state[name]) for name, tensor in generator.state_dict().items())


# -------------------------------------------------------------------------------------- truncation


def test_truncation_moves_towards_the_average():
    generator = make()
    generator.w_avg.copy_(normal(TINY.w_dim, seed=3))
    z = normal(4, TINY.z_dim)
    ws = generator.mapping(z)
    assert torch.allclose(generator.mapping(z, truncation=0), generator.w_avg.expand_as(ws))
    near = [(generator.mapping(z, truncation=t) - generator.w_avg).norm() for t in (0.3, 0.6, 1)]
    assert all(a < b for a, b in pairwise(near))


# --------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"resolution": 48}, r"resolution is 48; .* power of two"),
        ({"resolution": 2}, "resolution is 2"),
        ({"resolution": 8192}, "resolution is 8192"),
        ({"resolution": 64.0}, r"resolution is 64\.0"),
        ({"resolution": True}, "resolution is True"),
        ({"z_dim": 0}, "z_dim is 0"),
        ({"w_dim": "8"}, "w_dim is '8'"),
        ({"num_labels": -1}, "num_labels is -1"),
        ({"mapping_layers": 10**9}, "mapping_layers is 1000000000"),
        ({"channel_base": 127}, "channel_base is 127; .* from 128"),
        ({"channel_max": None}, "channel_max is None"),
        ({"architecture": "vit"}, "'skip', 'resnet' or 'orig'"),
        ({"conv_clamp": 0}, "conv_clamp is 0"),
        ({"conv_clamp": float("nan")}, "conv_clamp is nan"),
        ({"conv_clamp": "256"}, "conv_clamp is '256'"),
        ({"base_width": 17}, "base_width is 17; .* from 1 to 16"),
        ({"block_channels": 8}, "block_channels is 8; .* 6 numbers, .* 4, 8, 16, 32, 64, 128"),
        ({"block_channels": (8, 8)}, r"block_channels is \(8, 8\)"),
        ({"block_channels": [8, 8, 0, 8, 8, 8]}, "block_channels of block 16 is 0"),
        ({"mapping_width": 0}, "mapping_width is 0"),
        ({"embed_width": 1.5}, r"embed_width is 1\.5"),
        ({"mapping_learning_rate": 0}, "mapping_learning_rate is 0"),
    ],
)
def test_bad_constructions_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        StyleGAN2Config(**arguments)


@given(
    st.dictionaries(
        st.sampled_from([field.name for field in dataclasses.fields(StyleGAN2Config)]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([1]),
    )
)
def test_constructions_from_anywhere_are_accepted_or_refused(arguments):
    try:
        config = StyleGAN2Config(**arguments)
    except ValueError as error:
        message = str(error)
    else:
        message = None
    if message is None:
        assert StyleGAN2Config(**json.loads(json.dumps(dataclasses.asdict(config)))) == config
        assert config.channels(config.resolution) >= 1
    else:
        assert any(name in message for name in arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"until": 64}, r"until is 64; the blocks are \(4, 8, 16, 32\)"),
        ({"until": 8, "taps": (16,)}, r"taps contains 16; the blocks that run are \(4, 8\)"),
        ({"taps": (5,)}, "taps contains 5"),
        ({"noise": "random"}, r"noise is 'random'; .*torch\.Generator"),
        ({"dtype": torch.float16}, "use torch.bfloat16"),
        (
            {"ws": torch.zeros(TINY.num_ws, TINY.w_dim)},
            r"ws has shape \(8, 8\); expected \[N, 8, 8\]",
        ),
        ({"ws": torch.zeros(1, 7, 8)}, r"expected \[N, 8, 8\]"),
    ],
)
def test_bad_requests_are_refused(arguments, said):
    ws = arguments.pop("ws", torch.zeros(1, TINY.num_ws, TINY.w_dim))
    with pytest.raises(ValueError, match=said):
        make().synthesis(ws, **arguments)


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_stopping_before_the_only_rgb_gives_features_alone(architecture):
    generator = make(dataclasses.replace(TINY, architecture=architecture))
    ws = normal(2, TINY.num_ws, TINY.w_dim)
    image, features = generator.synthesis(ws, until=8, taps=(8,))
    assert image.shape == (2, 0, 8, 8)
    assert features[8].equal(generator.synthesis(ws, taps=(8,)).features[8])


def test_bad_latents_and_labels_are_refused():
    plain, conditional = make(), make(dataclasses.replace(TINY, num_labels=3))
    with pytest.raises(ValueError, match=r"z has shape \(2, 5\); expected \[N, 12\]"):
        plain.mapping(normal(2, 5))
    with pytest.raises(ValueError, match="this generator has none"):
        plain.mapping(normal(2, 12), torch.eye(3)[:2])
    with pytest.raises(ValueError, match=r"labels is None; .* \[2, 3\]"):
        conditional.mapping(normal(2, 12))
    with pytest.raises(ValueError, match=r"of shape \(2, 4\); .* \[2, 3\]"):
        conditional.mapping(normal(2, 12), torch.eye(4)[:2])
