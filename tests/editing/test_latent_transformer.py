"""The latent transformer: shapes, what its answer doesn't depend on, and its file."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from nbdrag.editing.latent_transformer import (
    LatentTransformer,
    TransformerConfig,
    look,
    untrained,
)
from nbdrag.editing.latent_transformer_file import (
    KEY,
    check_fit,
    load_transformer,
    save_transformer,
    transformer_of,
)
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config

SMALL = TransformerConfig(
    num_ws=8,
    w_dim=6,
    height=32,
    width=32,
    feature_block=8,
    channels=5,
    movable=4,
    token_width=16,
    heads=2,
    encoder_layers=2,
    decoder_layers=2,
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def transformer() -> LatentTransformer:
    """One whose last layer isn't zero."""
    made = untrained(SMALL, "somebody", rng())
    made.write_row.weight.data.normal_(generator=rng(1))
    return made.eval().requires_grad_(False)


def question(points: int, pictures: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    source = rng(points)
    ws = torch.randn(pictures, 8, 6, generator=source)
    features = torch.randn(pictures, points, 5, generator=source)
    places = 32 * torch.rand(pictures, points, 2, generator=source)
    return ws, features, places, torch.randn(pictures, points, 2, generator=source)


@pytest.mark.parametrize("points", [1, 5, 40])
def test_only_the_first_rows_change(transformer: LatentTransformer, points: int) -> None:
    ws, *asked = question(points)
    told = transformer(ws, *asked)
    assert told.shape == ws.shape
    assert torch.equal(told[:, 4:], ws[:, 4:])
    assert (told[:, :4] != ws[:, :4]).all()


def test_untrained_it_changes_nothing() -> None:
    ws, *asked = question(3)
    assert torch.equal(untrained(SMALL, "", rng())(ws, *asked), ws)


def test_the_order_of_points_does_not_matter(transformer: LatentTransformer) -> None:
    ws, *asked = question(7)
    order = torch.randperm(7, generator=rng())
    mixed = [each[:, order] for each in asked]
    torch.testing.assert_close(transformer(ws, *asked), transformer(ws, *mixed))
    # But each point keeps its own arrow.
    turned = [asked[0], asked[1], asked[2][:, order]]
    assert (transformer(ws, *asked) - transformer(ws, *turned)).abs().max() > 1e-3


def test_pictures_of_a_batch_know_nothing_of_each_other(transformer: LatentTransformer) -> None:
    ws, *asked = question(4, pictures=3)
    alone = transformer(ws[1:2], *(each[1:2] for each in asked))
    torch.testing.assert_close(transformer(ws, *asked)[1:2], alone)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_source_alone() -> None:
    before = torch.get_rng_state()
    once, again, other = (untrained(SMALL, "", rng(seed)).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert any(not torch.equal(once[name], other[name]) for name in once)
    assert all(tensor.isfinite().all() for tensor in once.values())


def test_inputs_are_seen_in_deviations(transformer: LatentTransformer) -> None:
    """Scaled latents and features are the same once the transformer knows their scale."""
    ws, features, *asked = question(3)
    told = transformer(ws, features, *asked)
    transformer.w_mean.fill_(2)
    transformer.w_deviation.fill_(3)
    transformer.feature_mean.fill_(-1)
    transformer.feature_deviation.fill_(5)
    again = transformer(3 * ws + 2, 5 * features - 1, *asked)
    torch.testing.assert_close(again, 3 * told + 2)


def test_looking_is_averaging_resizing_and_reading() -> None:
    features, points = (
        torch.randn(2, 5, 8, 8, generator=rng()),
        torch.tensor([[3.5, 20.5], [31.5, 0.5]]),
    )
    config = replace(SMALL, grid=4)
    found = look(features, points.expand(2, 2, 2), config)
    resized = interpolate(adaptive_avg_pool2d(features, 4), size=32, mode="bilinear")
    for i, (x, y) in enumerate(points.long().tolist()):
        torch.testing.assert_close(found[:, i], resized[:, :, y, x])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 3}, "token_width is 16; no multiple of 3"),
        ({"movable": 9}, "movable is 9, of 8 rows"),
        ({"w_dim": 0}, "w_dim is 0; expected a whole number from 1 to 4096"),
        ({"encoder_layers": True}, "encoder_layers is True"),
        ({"grid": 16.0}, "grid is 16.0"),
    ],
)
def test_impossible_constructions_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def test_the_construction_for_a_large_generator_is_the_papers() -> None:
    large = Generator(StyleGAN2Config(256, 512, 512, channel_base=512, channel_max=16))
    config = TransformerConfig.for_generator(large)
    assert (config.token_width, config.heads, config.feature_block) == (512, 8, 64)
    assert (config.encoder_layers, config.decoder_layers, config.movable) == (6, 6, 6)


# ---------------------------------------------------------------------------------------- its file


def test_a_file_gives_back_what_was_saved(transformer: LatentTransformer, tmp_path: Path) -> None:
    file = tmp_path / "it.safetensors"
    save_transformer(transformer, file, {"training": "long"})
    again = load_transformer(file)
    assert again.config == SMALL
    assert again.generator_hash == "somebody"
    ws, *asked = question(5)
    torch.testing.assert_close(again(ws, *asked), transformer(ws, *asked), atol=0.02, rtol=0.02)
    assert not any(parameter.requires_grad for parameter in again.parameters())
    assert list(tmp_path.iterdir()) == [file]


def rewritten(file: Path, construction: object, **weights: Tensor) -> Path:
    save_file({**load_file(file), **weights}, file, {KEY: json.dumps(construction)})
    return file


def test_files_that_are_wrong_are_refused_by_name(
    transformer: LatentTransformer, tmp_path: Path
) -> None:
    file = tmp_path / "it.safetensors"
    save_transformer(transformer, file)
    good = {**SMALL.__dict__, "generator_hash": "somebody"}
    for construction, message in [
        ([1], "describes no latent transformer"),
        ({**good, "wings": 2}, "describes no latent transformer.*wings"),
        ({**good, "heads": 0}, "heads is 0"),
        ({**good, "token_width": 32}, "doesn't hold the weights.*of another shape"),
        # Large as it is, it takes no memory.
        ({**good, "token_width": 4096, "encoder_layers": 64}, "doesn't hold the weights"),
    ]:
        with pytest.raises(CheckpointError, match=f"it.safetensors.*{message}"):
            load_transformer(rewritten(file, construction))
    rewritten(file, good, w_mean=torch.full((6,), torch.nan))
    with pytest.raises(CheckpointError, match="not finite, in w_mean"):
        load_transformer(file)
    save_file(load_file(file), file)
    with pytest.raises(CheckpointError, match="holds no latent transformer"):
        load_transformer(file)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="is damaged"):
        load_transformer(file)
    with pytest.raises(CheckpointError, match="there is no file"):
        load_transformer(tmp_path / "other.safetensors")


def test_what_can_not_be_saved_leaves_the_file_as_it_was(
    transformer: LatentTransformer, tmp_path: Path
) -> None:
    file = tmp_path / "it.safetensors"
    save_transformer(transformer, file)
    before = file.read_bytes()
    transformer.w_mean.fill_(1e6)  # beyond half precision
    with pytest.raises(ValueError, match="not finite in half precision: w_mean"):
        save_transformer(transformer, file)
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        save_transformer(transformer, tmp_path / "it.pt")
    with pytest.raises(ValueError, match="fills in"):
        save_transformer(transformer, file, {KEY: "mine"})
    assert file.read_bytes() == before


def test_it_belongs_to_one_generator() -> None:
    config = StyleGAN2Config(32, 8, 8, channel_base=128, channel_max=8, mapping_layers=2)
    generator, other = (Generator(config, rng(seed)) for seed in (1, 2))
    fits = untrained(TransformerConfig.for_generator(generator), generator.content_hash, rng())
    check_fit(fits, generator)
    check_fit(fits, generator)
    with pytest.raises(
        CheckpointError, match=f"{generator.content_hash}; this one is {other.content_hash}"
    ):
        check_fit(fits, other)
    with pytest.raises(CheckpointError, match="no latent transformer comes with this generator"):
        transformer_of(other)
