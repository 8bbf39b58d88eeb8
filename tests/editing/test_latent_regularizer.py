"""The regularizer changes what it may, and learns to restore what can be known."""

import torch

from nbdrag.editing.latent_regularizer import MASKED, LatentRegularizer, spoilt


def make(**changes: int) -> LatentRegularizer:
    sizes = {"width": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 1, **changes}
    return LatentRegularizer(6, 8, 4, rng=torch.Generator().manual_seed(0), **sizes)


def test_only_first_rows_change_and_at_first_none():
    rows = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(1))
    regularizer = make()
    torch.testing.assert_close(regularizer(rows), rows)
    for parameter in regularizer.parameters():
        parameter.data.normal_(generator=torch.Generator().manual_seed(2))
    changed = regularizer(rows)
    assert torch.equal(changed[:, 4:], rows[:, 4:])
    assert (changed[:, :4] - rows[:, :4]).abs().amin() > 0
    # The rest is what asks: with another rest, the answer is another.
    other = rows.clone()
    other[:, 4:] += 1
    assert (regularizer(other)[:, :4] - changed[:, :4]).abs().max() > 1e-2


def test_all_rows_may_move():
    regularizer = LatentRegularizer(4, 8, 4, 16, 2, 1, 1, torch.Generator().manual_seed(0))
    assert regularizer(torch.ones(2, 4, 8)).shape == (2, 4, 8)


def test_latents_are_spoilt_as_equation_1_says():
    rng = torch.Generator().manual_seed(3)
    rows = 100 + torch.zeros(4000, 6, 8)
    bad = spoilt(rows, 4, rng)
    assert torch.equal(bad[:, 4:], rows[:, 4:])
    masked = (bad[:, :4] < 50).float().mean(dim=(1, 2))
    some = masked > 0
    assert 0.4 < some.float().mean() < 0.6  # every other one is masked
    assert abs(float(masked[some].mean()) - MASKED) < 0.01
    noise = (bad - rows)[:, :4].flatten(1)[~some].std(dim=1)
    assert noise.min() < 0.1
    assert noise.max() > 0.8


def test_it_learns_that_rows_are_alike():
    """Where all rows are equal, what one has lost the others still know."""
    rng = torch.Generator().manual_seed(4)
    regularizer = make()
    optimiser = torch.optim.Adam(regularizer.parameters(), lr=1e-2)
    for _ in range(150):
        rows = torch.randn(64, 1, 8, generator=rng).expand(-1, 6, -1)
        bad = spoilt(rows, 4, rng)
        loss = (regularizer(bad) - rows)[:, :4].abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    before = (bad - rows)[:, :4].abs().mean()
    assert loss < 0.5 * before
