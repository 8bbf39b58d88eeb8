"""What is raised for files."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A file is no generator; the message says why."""
