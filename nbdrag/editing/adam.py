"""Adam for one tensor.

Not `torch.optim.Adam`: building the first optimizer imports PyTorch's compiler, which takes
seconds and some 80 MB before the picture moves for the first time.

References
----------
Kingma & Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, Algorithm 1.
"""

from __future__ import annotations

from torch import Tensor


class Adam:
    """Running means of a gradient and of its square, and the step they suggest.

    Parameters
    ----------
    learning_rate : float
        About the length of a step in each coordinate, in units of the parameter.
    betas : (float, float)
        How much of the two means is kept from step to step.
    epsilon : float
        Added to the root of the mean square.
    """

    def __init__(
        self,
        learning_rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        self.learning_rate, self.betas, self.epsilon = learning_rate, betas, epsilon
        self.steps = 0
        self.mean: Tensor | float = 0.0
        self.mean_square: Tensor | float = 0.0

    def step(self, gradient: Tensor) -> Tensor:
        """What to subtract from the parameter, given the loss's gradient there (same shape)."""
        keep, keep_square = self.betas
        self.steps += 1
        self.mean = keep * self.mean + (1 - keep) * gradient
        self.mean_square = keep_square * self.mean_square + (1 - keep_square) * self.square(
            gradient
        )
        # Both means started at zero; the divisors undo that bias.
        mean = self.mean / (1 - keep**self.steps)
        mean_square = self.mean_square / (1 - keep_square**self.steps)
        return self.learning_rate * mean / (mean_square.sqrt() + self.epsilon)

    def square(self, gradient: Tensor) -> Tensor:
        """What the second mean is of: each coordinate has its own."""
        return gradient.square()


class EvenAdam(Adam):
    """Adam whose coordinates share one scale, so that a first step goes along the gradient.

    `learning_rate` is the root mean square of a step's coordinates, about.
    """

    def square(self, gradient: Tensor) -> Tensor:
        """The mean over all coordinates."""
        return gradient.square().mean()
