"""Our Adam takes the steps of PyTorch's."""

import torch

from nbdrag.editing.adam import Adam


def test_steps_equal_those_of_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(20, 3, 4, dtype=torch.float64, generator=generator)
    gradients[5:9] *= 1e3
    gradients[:, 0, 0] = 0
    theirs = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    ours = theirs.detach().clone()
    optimizer, adam = torch.optim.Adam([theirs], lr=0.03), Adam(0.03)
    for gradient in gradients:
        theirs.grad = gradient
        optimizer.step()
        ours -= adam.step(gradient)
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-10, atol=1e-12)
