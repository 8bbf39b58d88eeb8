"""From noise to the latent that steers a picture: StyleGAN2's mapping network.

A few dense layers turn a normal sample z into w, in which directions mean something, and repeat it
for each row of ws.

References
----------
Karras et al., Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from nbdrag.generators.config import StyleGAN2Config
from nbdrag.generators.layers import RELU_GAIN, SLOPE, Dense


class Mapping(nn.Module):
    """From z, and a label if there are any, to ws."""

    w_avg: Tensor

    def __init__(self, config: StyleGAN2Config, rng: torch.Generator) -> None:
        super().__init__()
        self.config = config
        inputs = config.z_dim
        if config.num_labels:
            embedded = config.embed_width or config.w_dim
            self.embed = Dense(config.num_labels, embedded, rng)
            inputs += embedded
        for i in range(config.mapping_layers):
            is_last = i == config.mapping_layers - 1
            outputs = config.w_dim if is_last else config.mapping_width or config.w_dim
            layer = Dense(inputs, outputs, rng, learning_rate=config.mapping_learning_rate)
            self.add_module(f"fc{i}", layer)
            inputs = outputs
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(
        self,
        z: Tensor,
        labels: Tensor | None = None,
        *,
        truncation: float = 1.0,
        truncated_rows: int | None = None,
    ) -> Tensor:
        """Map z to ws.

        Parameters
        ----------
        z : Tensor, shape [N, z_dim]
            Standard normal samples.
        labels : Tensor, shape [N, num_labels], optional
            One-hot class labels; required by, and only by, a conditional generator.
        truncation : float
            ψ: 1 changes nothing, 0 gives the mean picture. What lies between trades variety for
            quality (StyleGAN, CVPR 2019, Appendix B).
        truncated_rows : int, optional
            Truncate only that many first rows. Default: all.

        Returns
        -------
        Tensor, shape [N, num_ws, w_dim]

        Raises
        ------
        ValueError
            If z or labels have another shape.
        """
        config = self.config
        if z.ndim != 2 or z.shape[1] != config.z_dim:
            raise ValueError(f"z has shape {tuple(z.shape)}; expected [N, {config.z_dim}].")
        x = unit_rms(z.to(self.w_avg.dtype))
        if config.num_labels:
            if labels is None or labels.shape != (len(z), config.num_labels):
                given = "None" if labels is None else f"of shape {tuple(labels.shape)}"
                raise ValueError(
                    f"labels is {given}; this generator is conditional and expects one-hot labels "
                    f"of shape [{len(z)}, {config.num_labels}]."
                )
            x = torch.cat([x, unit_rms(self.embed(labels.to(x.dtype)))], dim=1)
        elif labels is not None:
            raise ValueError("labels were given, but this generator has none; pass labels=None.")
        for i in range(config.mapping_layers):
            x = functional.leaky_relu(getattr(self, f"fc{i}")(x), SLOPE) * RELU_GAIN
        ws: Tensor = x[:, None].repeat(1, config.num_ws, 1)
        if truncation == 1:
            return ws
        rows = config.num_ws if truncated_rows is None else truncated_rows
        near = torch.lerp(self.w_avg, ws[:, :rows], truncation)
        return torch.cat([near, ws[:, rows:]], dim=1)

    if TYPE_CHECKING:
        __call__ = forward


def unit_rms(x: Tensor) -> Tensor:
    """Scale each row to a root mean square of one."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
