"""The segmenter against the naive way, in files, and on a generator."""

import json
from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from nbdrag import toonfaces
from nbdrag.generators import segmenter as segmenter_module
from nbdrag.generators.checkpoint import read_generator, save_generator
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.segmenter import Part, Segmenter, framed, surroundings
from nbdrag.generators.segmenter_file import load_segmenter, save_segmenter
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import load_generator

TINY = StyleGAN2Config(
    resolution=32, z_dim=12, w_dim=8, mapping_layers=2, channel_base=256, channel_max=16
)
PARTS = (Part("sky", "#80a0ff"), Part("sea", "#203080"), Part("sand", "#E0D090"))


def channels_of(config: StyleGAN2Config) -> dict[int, int]:
    return {r: config.channels(r) for r in config.block_resolutions}


def make(config: StyleGAN2Config = TINY, **options) -> Segmenter:
    rng = torch.Generator().manual_seed(3)
    segmenter = Segmenter(channels_of(config), PARTS, rng=rng, **{"looks": 2, **options})
    with torch.no_grad():
        for name, parameter in segmenter.named_parameters():
            if name.endswith("bias"):
                parameter.copy_(torch.randn(parameter.shape, generator=rng))
    return segmenter


def make_features(config: StyleGAN2Config = TINY, n: int = 2) -> dict[int, Tensor]:
    rng = torch.Generator().manual_seed(4)
    return {
        r: torch.randn(n, c, r, config.width_at(r), generator=rng, dtype=torch.float64)
        for r, c in channels_of(config).items()
    }


def make_image(config: StyleGAN2Config = TINY, n: int = 2) -> Tensor:
    rng = torch.Generator().manual_seed(6)
    return torch.randn(n, 3, config.resolution, config.width, generator=rng, dtype=torch.float64)


def colours_about(image: Tensor, resolution: int) -> Tensor:
    """Colours of every cell and its neighbours, [N, 27, r, r'], by a convolution that copies."""
    smaller = functional.interpolate(image, scale_factor=resolution / image.shape[2], mode="area")
    framed = functional.pad(smaller, (1, 1, 1, 1), mode="replicate")
    copies = torch.zeros(27, 3, 3, 3, dtype=image.dtype)
    for i in range(27):
        copies[i, i % 3, i // 9, i // 3 % 3] = 1
    return functional.conv2d(framed, copies)


def naive(segmenter: Segmenter, features: dict[int, Tensor], image: Tensor) -> Tensor:
    """Every map doubled until it is as large as the last, all stacked, every pixel on its own."""
    stack = []
    maps = [features[r] for r in segmenter.resolutions]
    for x in [*maps, *(colours_about(image, r) for r in segmenter.looks)]:
        while x.shape[2] < segmenter.resolutions[-1]:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        stack.append(x)
    stacked = torch.cat(stack, dim=1)
    n, _, height, width = stacked.shape
    pixels = stacked.permute(0, 2, 3, 1).reshape(n * height * width, -1)
    weight = torch.cat(segmenter.slices, dim=1)
    wide = segmenter.hidden[0]
    total = 0
    for m in range(segmenter.members):
        rows = slice(m * wide, (m + 1) * wide)
        x = (pixels @ weight[rows].T + segmenter.first_bias[rows]).relu()
        x = (x @ segmenter.second[m] + segmenter.second_bias[m]).relu()
        total = total + x @ segmenter.third[m] + segmenter.third_bias[m]
    return (total / segmenter.members).view(n, height, width, -1).permute(0, 3, 1, 2)


# --------------------------------------------------------------------------------------- exactness


@pytest.mark.parametrize("strip", [1, 5000, 1 << 20])
@pytest.mark.parametrize(
    ("config", "looks"),
    [
        (TINY, 0),
        (TINY, 1),
        (TINY, 4),
        (StyleGAN2Config(16, base_width=2, channel_base=64), 3),
        (StyleGAN2Config(8), 2),
    ],
)
@pytest.mark.parametrize("members", [1, 3])
def test_equals_the_naive_way(monkeypatch, config, looks, members, strip):
    monkeypatch.setattr(segmenter_module, "STRIP", strip)
    segmenter = make(config, members=members, hidden=(6, 5), looks=looks).double()
    features, image = make_features(config), make_image(config)
    found = segmenter(features, image)
    expected = naive(segmenter, features, image)
    assert found.shape == (2, 3, config.resolution, config.width)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("strip", [1, 1 << 20])
def test_gradients_equal_those_of_the_naive_way(monkeypatch, strip):
    monkeypatch.setattr(segmenter_module, "STRIP", strip)
    segmenter = make(members=2, hidden=(6, 5)).double()
    features = {r: x.requires_grad_() for r, x in make_features().items()}
    image = make_image().requires_grad_()
    weight = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5)).double()
    wanted = [image, *features.values(), *segmenter.parameters()]
    found = torch.autograd.grad((segmenter(features, image) * weight).sum(), wanted)
    expected = torch.autograd.grad((naive(segmenter, features, image) * weight).sum(), wanted)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("strip", [1, 1 << 20])
def test_gradients_of_some_rows_are_those_rows_gradients(monkeypatch, strip):
    monkeypatch.setattr(segmenter_module, "STRIP", strip)
    segmenter = make(members=2, hidden=(6, 5)).double()
    features = {r: x.requires_grad_() for r, x in make_features().items()}
    image = make_image().requires_grad_()
    wanted = [image, *features.values()]
    whole = segmenter(features, image)
    some = segmenter(features, image, learning=slice(6, 20))
    assert torch.equal(some, whole)
    weight = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5)).double()
    found = torch.autograd.grad((some * weight).sum(), wanted)
    expected = torch.autograd.grad((whole * weight)[:, :, 6:20].sum(), wanted)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_computes_in_the_type_of_the_features():
    segmenter = make(hidden=(32, 16))
    features = make_features()
    image = make_image().float()
    exact = segmenter({r: x.float() for r, x in features.items()}, image)
    rounded = segmenter({r: x.bfloat16() for r, x in features.items()}, image)
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert ((rounded - exact).norm() / exact.norm()).item() < 0.03


def test_a_member_of_an_ensemble_is_a_segmenter():
    together, image = make(members=3, hidden=(32, 8)), make_image().float()
    alone = []
    for m in range(3):
        one = make(members=1, hidden=(32, 8))
        rows = slice(m * 32, (m + 1) * 32)
        state = {
            name: value[rows] if name.startswith(("first", "colours")) else value[m : m + 1]
            for name, value in together.state_dict().items()
        }
        one.load_state_dict(state)
        alone.append(one({r: x.float() for r, x in make_features().items()}, image))
    found = together({r: x.float() for r, x in make_features().items()}, image)
    torch.testing.assert_close(found, torch.stack(alone).mean(0), rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------- a generator


@pytest.fixture
def generator() -> Generator:
    made = Generator(TINY, torch.Generator().manual_seed(0)).requires_grad_(False)
    made.segmenter = make().requires_grad_(False)
    return made


def ws_of(generator: Generator, n: int = 2) -> Tensor:
    z = torch.randn(n, generator.z_dim, generator=torch.Generator().manual_seed(1))
    return generator.mapping(z)


def test_segment_gives_the_picture_and_its_parts_at_once(generator):
    ws = ws_of(generator)
    calls = []
    generator.synthesis.register_forward_hook(lambda *_: calls.append(1))
    found = generator.segment(ws)
    assert calls == [1]
    image, features = generator.synthesis(ws, taps=TINY.block_resolutions)
    assert torch.equal(found.image, image)
    torch.testing.assert_close(found.logits, naive(generator.segmenter, features, image))
    assert found.labels.dtype == torch.uint8
    assert torch.equal(found.labels.long(), found.logits.argmax(1))


def test_a_label_can_be_wished_for(generator):
    ws = ws_of(generator).requires_grad_()
    generator.segment(ws).logits[:, 1].sum().backward()
    assert (ws.grad.abs().sum(dim=(0, 2)) > 0).all()  # the last row steers colours alone


def test_without_a_look_at_the_picture_its_colours_count_for_nothing(generator):
    generator.segmenter = make(looks=0).requires_grad_(False)
    ws = ws_of(generator).requires_grad_()
    generator.segment(ws).logits[:, 1].sum().backward()
    assert (ws.grad.abs().sum(dim=(0, 2))[:-1] > 0).all()
    assert (ws.grad[:, -1] == 0).all()


def test_surroundings_are_the_colours_about_a_cell():
    image = torch.arange(2 * 3 * 8 * 8.0).view(2, 3, 8, 8)
    found = surroundings(framed(image, 4))
    assert found.shape == (2, 27, 4, 4)
    smaller = image.view(2, 3, 4, 2, 4, 2).mean((3, 5))
    about = smaller[1, :, 0:3, 1:4].permute(1, 2, 0)
    torch.testing.assert_close(found[1, :, 1, 2].view(3, 3, 3), about)
    # Beyond the border it goes on as there.
    corner = smaller[0, :, [0, 0, 1]][:, :, [0, 0, 1]].permute(1, 2, 0)
    torch.testing.assert_close(found[0, :, 0, 0].view(3, 3, 3), corner)


def test_without_a_segmenter_segment_says_what_to_do(generator):
    generator.segmenter = None
    with pytest.raises(ValueError, match=r"load_segmenter.*nbdrag\.training\.segmenter"):
        generator.segment(ws_of(generator))


def test_a_segmenter_is_no_part_of_its_generator(generator, tmp_path):
    without = deepcopy(generator)
    without.segmenter = None
    assert generator.content_hash == without.content_hash
    assert list(generator.state_dict()) == list(without.state_dict())
    assert len(list(generator.parameters())) == len(list(without.parameters()))
    save_generator(generator, tmp_path / "g.safetensors")
    assert read_generator(tmp_path / "g.safetensors").segmenter is None


def test_a_segmenter_goes_where_its_generator_goes(generator):
    copy = deepcopy(generator)
    assert generator.double().segmenter.first_bias.dtype == torch.float64
    assert generator.to("meta").segmenter.first_bias.device.type == "meta"
    assert copy.segmenter.first_bias.dtype == torch.float32
    assert copy.segmenter is not generator.segmenter


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.pop(16), "no block 16"),
        (lambda f: f.update({8: f[8][:, :3]}), r"features\[8\].*another generator"),
        (lambda f: f.update({8: f[16]}), r"features\[8\]"),
    ],
)
def test_features_of_something_else_are_refused(change, message):
    features = make_features()
    change(features)
    with pytest.raises(ValueError, match=message):
        make().double()(features, make_image())


@pytest.mark.parametrize("image", [make_image(n=1), make_image()[:, :2], make_image()[..., :16]])
def test_another_picture_is_refused(image):
    with pytest.raises(ValueError, match=r"image has shape .*expected .*\[2, 3, 32, 32\]"):
        make().double()(make_features(), image)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parts": PARTS[:1]}, "2 to 255"),
        ({"parts": [*PARTS, Part("sea", "#000000")]}, "two parts are called 'sea'"),
        ({"parts": [*PARTS, Part("", "#000000")]}, "needs a name"),
        ({"parts": [*PARTS, Part("sun", "yellow")]}, "'sun' has the colour 'yellow'"),
        ({"parts": [*PARTS, Part("sun", "#fff")]}, "#fff"),
        ({"channels": {}}, r"\(4, 8, 16"),
        ({"channels": {4: 3, 16: 3}}, r"\(4, 8, 16"),
        ({"channels": {4: 0, 8: 3}}, "is 0"),
        ({"members": 0}, "is 0"),
        ({"hidden": (8, -1)}, "is -1"),
        ({"looks": 3}, "looks is 3; expected 0 to 2"),
        ({"looks": -1}, "looks is -1"),
    ],
)
def test_what_cannot_be_built_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Segmenter(**{"channels": {4: 3, 8: 2}, "parts": PARTS, "looks": 1, **arguments})


# ----------------------------------------------------------------------------------------- in files


def saved(tmp_path, generator=None):
    segmenter = make(hidden=(6, 5), members=2)
    segmenter.generator_hash = generator.content_hash if generator else "0123456789abcdef"
    save_segmenter(segmenter, tmp_path / "parts.safetensors", {"training": "none"})
    return segmenter, tmp_path / "parts.safetensors"


def test_a_file_gives_the_same_segmenter(tmp_path, generator):
    segmenter, path = saved(tmp_path, generator)
    found = load_segmenter(path, generator)
    assert (found.parts, found.hidden, found.members) == (PARTS, (6, 5), 2)
    assert found.generator_hash == generator.content_hash
    assert not found.training
    assert not any(p.requires_grad for p in found.parameters())
    for name, value in found.state_dict().items():
        assert torch.equal(value, segmenter.state_dict()[name].half().float()), name


def test_the_segmenter_of_another_generator_is_refused(tmp_path, generator):
    _, path = saved(tmp_path)
    with pytest.raises(CheckpointError, match=r"0123456789abcdef.*force=True"):
        load_segmenter(path, generator)
    assert load_segmenter(path, generator, force=True).parts == PARTS
    other = Generator(StyleGAN2Config(16, channel_base=64))
    with pytest.raises(CheckpointError, match="channels"):
        load_segmenter(path, other, force=True)


def test_files_that_hold_no_segmenter(tmp_path, generator):
    save_generator(generator, tmp_path / "g.safetensors")
    with pytest.raises(CheckpointError, match="holds no segmenter"):
        load_segmenter(tmp_path / "g.safetensors")
    with pytest.raises(CheckpointError, match="no file"):
        load_segmenter(tmp_path / "nothing.safetensors")
    _, path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="damaged"):
        load_segmenter(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, w: d.update(members=3), "another shape: colours"),
        (lambda d, w: d.update(looks=1), r"unknown.*colours\.16"),
        (lambda d, w: d.update(looks=5), "looks is 5; expected 0 to 4"),
        (lambda d, w: d.pop("looks"), "unknown.*colours"),
        (lambda d, w: d.update(members="many"), "members is 'many'"),
        (lambda d, w: d.update(members=10**30), "describes no segmenter"),
        (lambda d, w: d.update(hidden=[6]), "describes no segmenter"),
        (lambda d, w: d.update(hidden=None), "describes no segmenter"),
        (lambda d, w: d.pop("parts"), "describes no segmenter"),
        (lambda d, w: d["parts"].pop(), "third"),
        (lambda d, w: d.update(parts=[["a", 1], ["b", 2]]), "colour"),
        (lambda d, w: w.pop("second"), "missing.*second"),
        (lambda d, w: w.update(extra=torch.zeros(1)), "extra"),
        (lambda d, w: w.update({"first.9": torch.zeros(12, 3)}), r"\(4, 8, 16"),
        (lambda d, w: w.update({"first.8": torch.zeros(())}), "describes no segmenter"),
        (lambda d, w: w["third"].fill_(torch.nan), "not finite, in third"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, change, message):
    _, path = saved(tmp_path)
    description = {
        "parts": [list(part) for part in PARTS],
        "hidden": [6, 5],
        "members": 2,
        "looks": 2,
        "generator_hash": "",
    }
    weights = load_file(path)
    change(description, weights)
    save_file(weights, path, {"segmenter": json.dumps(description)})
    with pytest.raises(CheckpointError, match=message):
        load_segmenter(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
descriptions = st.text() | json_values.map(json.dumps) | st.fixed_dictionaries(
    {"parts": json_values, "hidden": json_values, "members": json_values},
    optional={"generator_hash": json_values},
).map(json.dumps)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(description=descriptions)
def test_any_description_is_read_or_refused(tmp_path_factory, description):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    weights = {"first.4": torch.zeros(2, 3), "first.8": torch.zeros(2, 3)}
    save_file(weights, path, {"segmenter": description})
    with pytest.raises(CheckpointError, match=r"any\.safetensors"):
        load_segmenter(path)


def test_saving_checks_first(tmp_path):
    segmenter = make()
    with pytest.raises(ValueError, match=r"end in \.safetensors"):
        save_segmenter(segmenter, tmp_path / "parts.pt")
    with pytest.raises(ValueError, match="segmenter itself"):
        save_segmenter(segmenter, tmp_path / "parts.safetensors", {"segmenter": ""})
    with torch.no_grad():
        segmenter.third[0, 0, 0] = 1e6
    with pytest.raises(ValueError, match="not finite in half precision: third"):
        save_segmenter(segmenter, tmp_path / "parts.safetensors")
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------- the packaged one


def test_each_part_of_a_toonface_has_a_colour_of_its_own():
    assert tuple(toonfaces.PART_COLOURS) == toonfaces.PARTS
    assert len(set(toonfaces.PART_COLOURS.values())) == len(toonfaces.PARTS)


def test_the_packaged_generator_comes_with_its_segmenter():
    generator = load_generator("toonfaces-128")
    segmenter = generator.segmenter
    assert segmenter.generator_hash == generator.content_hash
    assert dict(segmenter.parts) == toonfaces.PART_COLOURS
    ws = generator.mapping(torch.randn(4, 64, generator=torch.Generator().manual_seed(9)))
    found = generator.segment(ws)
    share = torch.bincount(found.labels.flatten().long(), minlength=16) / found.labels.numel()
    for part, least in (("background", 0.2), ("hair", 0.05), ("skin", 0.1), ("shirt", 0.02)):
        assert share[toonfaces.PARTS.index(part)] > least, part
