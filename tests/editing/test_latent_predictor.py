"""What a predictor's construction promises, whatever its weights."""

import pytest
import torch
from torch.nn.functional import interpolate

from nbdrag.editing.features import sample
from nbdrag.editing.latent_predictor import PATCH, PredictorConfig, patches
from nbdrag.editing.latent_predictor_layers import Attention, DecoderLayer, EncoderLayer, normal
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from tests.editing.predictors import question, tiny_config, tiny_predictor


def test_it_tells_n_latents_and_leaves_the_last_rows(small):
    ws, *rest = question(small, 3)
    told = tiny_predictor(small)(ws, *rest)
    assert told.shape == (2, 3, small.num_ws, 8)
    expected = ws[:, None, 4:].expand(-1, 3, -1, -1)
    torch.testing.assert_close(told[:, :, 4:], expected)
    changes = torch.cat([ws[:, None], told], dim=1).diff(dim=1)[:, :, :4].abs().amax(dim=(2, 3))
    assert (changes > 1e-3).all()  # every step goes somewhere


def test_the_order_of_pairs_does_not_matter(small):
    ws, features, handles, targets, real = question(small, 5)
    real[0, 3:] = False
    predictor = tiny_predictor(small)
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(
        predictor(ws, features, handles[:, order], targets[:, order], real[:, order]),
        predictor(ws, features, handles, targets, real),
        atol=1e-5,
        rtol=1e-5,
    )


def test_what_fills_up_a_row_is_not_heard(small):
    ws, features, handles, targets, real = question(small, 4)
    real[:, 2:] = False
    predictor = tiny_predictor(small)
    filled = predictor(ws, features, handles, targets, real)
    alone = predictor(ws, features, handles[:, :2], targets[:, :2], real[:, :2])
    torch.testing.assert_close(filled, alone, atol=1e-5, rtol=1e-5)
    heard = predictor(ws, features, handles, targets, torch.ones_like(real))
    assert (heard - alone).abs().max() > 1e-3


def test_drags_of_one_picture_share_its_features(small):
    ws, features, *_ = question(small, 1)
    _, _, handles, targets, real = question(small, 2, batch=6)
    predictor = tiny_predictor(small)
    starts = ws.repeat_interleave(3, dim=0)
    torch.testing.assert_close(
        predictor(starts, features, handles, targets, real),
        predictor(starts, features.repeat_interleave(3, dim=0), handles, targets, real),
        atol=1e-5,
        rtol=1e-5,
    )


def test_each_latent_knows_the_ones_before(small):
    """What the decoder remembers gives what attention to all earlier tokens at once would."""
    rng = torch.Generator().manual_seed(1)
    layer = DecoderLayer(8, 2, rng)
    tokens = torch.randn(3, 4, 8, generator=rng)
    memory = layer.to_memory.answers(torch.randn(3, 5, 8, generator=rng))
    past = None
    told = []
    for i in range(4):
        token, past = layer(tokens[:, i : i + 1], memory, None, past)
        told.append(token)
    for i in range(4):
        seen = normal(tokens)
        alone = tokens[:, i : i + 1]
        alone = alone + layer.to_itself(
            seen[:, i : i + 1], layer.to_itself.answers(seen[:, : i + 1])
        )
        alone = alone + layer.to_memory(normal(alone), memory)
        alone = alone + layer.perceptron(normal(alone))
        torch.testing.assert_close(told[i], alone, atol=1e-5, rtol=1e-5)


def test_attention_is_that_of_the_textbook():
    rng = torch.Generator().manual_seed(2)
    attention = Attention(6, 2, rng)
    asking, answering = torch.randn(1, 3, 6, generator=rng), torch.randn(1, 4, 6, generator=rng)
    mask = torch.tensor([True, False, True, True])[None, None, None]
    key, value = attention.key_value(answering).chunk(2, dim=-1)
    heads = []
    for head in (slice(0, 3), slice(3, 6)):
        score = attention.query(asking)[0, :, head] @ key[0, :, head].T / 3**0.5
        score = score.masked_fill(~mask[0, 0], -torch.inf)
        heads.append(score.softmax(-1) @ value[0, :, head])
    expected = attention.out(torch.cat(heads, dim=-1))
    found = attention(asking, attention.answers(answering), mask)[0]
    torch.testing.assert_close(found, expected)


def test_an_encoder_treats_tokens_alike():
    rng = torch.Generator().manual_seed(3)
    layer = EncoderLayer(8, 2, rng)
    tokens = torch.randn(1, 5, 8, generator=rng)
    order = torch.tensor([4, 2, 0, 1, 3])
    torch.testing.assert_close(layer(tokens[:, order]), layer(tokens)[:, order])


def test_patches_are_centred_and_go_on_at_the_border():
    features = torch.rand(1, 2, 16, 16, generator=torch.Generator().manual_seed(4))
    places = torch.tensor([[[[0.53, 0.41], [0.0, 1.0]]]])
    found = patches(features, places)[0, 0].unflatten(-1, (PATCH, PATCH, 2))
    # In a map as large as the picture, cells are pixels.
    for i, (x, y) in enumerate(places[0, 0] * 16):
        for row, column in [(0, 0), (3, 3), (6, 2)]:
            at = torch.stack([x + column - 3, y + row - 3]).clamp(0.5, 15.5)
            torch.testing.assert_close(found[i, row, column], sample(features[0], at, (16, 16)))


def test_wide_pictures_and_any_grid(small):
    config = StyleGAN2Config(32, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64, base_width=2)
    narrow = Generator(config).requires_grad_(False)
    ws, features, handles, targets, real = question(narrow, 2)
    assert features.shape[2:] == (16, 8)
    told = tiny_predictor(narrow, grid=3)(ws, features, handles / 2, targets / 2, real)
    assert told.isfinite().all()
    enlarged = interpolate(features, scale_factor=2)
    places = torch.rand(2, 1, 3, 2, generator=torch.Generator().manual_seed(5))
    assert patches(enlarged, places).shape == patches(features, places).shape


def test_the_papers_construction_is_the_default_for_wide_latents(small):
    config = PredictorConfig()
    assert (config.encoder_layers, config.decoder_layers, config.steps) == (6, 16, 5)
    assert (config.regularizer_encoder_layers, config.regularizer_decoder_layers) == (6, 6)
    scaled = PredictorConfig.for_generator(small)
    assert (scaled.num_ws, scaled.w_dim, scaled.feature_block) == (small.num_ws, 8, 16)
    assert scaled.token_width < config.token_width
    wide = Generator(StyleGAN2Config(16, w_dim=512, z_dim=4, mapping_layers=1, channel_base=64))
    assert PredictorConfig.for_generator(wide).decoder_layers == 16


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"heads": 3}, "token_width is 8; no multiple of 3"),
        ({"movable": 60}, "movable is 60"),
        ({"reach": float("nan")}, "reach is nan"),
        ({"grid": True}, "grid is True"),
    ],
)
def test_impossible_constructions_are_refused(small, changes, message):
    with pytest.raises(ValueError, match=message):
        tiny_config(small, **changes)
