"""Gradients, whatever the caller has turned off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def gradients() -> Iterator[None]:
    """Record gradients, and make tensors that can, even where the caller has turned that off."""
    with torch.inference_mode(False), torch.enable_grad():
        yield
