"""Edit generative images in a notebook cell: drag a point and the picture follows, live.

Everything public is here, and loaded when it is first used: importing nbdrag alone costs next to
nothing, and doesn't import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbdrag import toonfaces as toonfaces

__version__ = "0.1.0"

_HOME = {
    "BatchPreview": "nbdrag.widgets.batch",
    "AutoDragOptions": "nbdrag.editing.auto_draggan",
    "CheckpointError": "nbdrag.generators.errors",
    "DirectionOptions": "nbdrag.transfer.direction_options",
    "DragEditor": "nbdrag.widgets.drag",
    "DragOptions": "nbdrag.editing.drag_options",
    "DragStep": "nbdrag.editing.draggan",
    "EditDirection": "nbdrag.transfer.direction",
    "EditLibrary": "nbdrag.transfer.library",
    "EditVector": "nbdrag.transfer.vectors",
    "FreeDragOptions": "nbdrag.editing.freedrag_options",
    "Generator": "nbdrag.generators.stylegan2",
    "LayoutDragOptions": "nbdrag.editing.layout_drag",
    "PaintOptions": "nbdrag.editing.paint_options",
    "PaintStep": "nbdrag.editing.editgan",
    "ProjectOptions": "nbdrag.projection.optimize",
    "Recipe": "nbdrag.runtime.recipe",
    "SegmentationPainter": "nbdrag.widgets.paint",
    "StepInspector": "nbdrag.widgets.inspect",
    "TransferError": "nbdrag.runtime.batch.manifest",
    "TransferProgress": "nbdrag.runtime.batch.progress",
    "auto_drag": "nbdrag.editing.auto_draggan",
    "auto_drag_batch": "nbdrag.editing.auto_draggan",
    "drag": "nbdrag.editing.draggan",
    "find_direction": "nbdrag.transfer.edit_one_for_all",
    "free_drag": "nbdrag.editing.freedrag",
    "layout_drag": "nbdrag.editing.layout_drag",
    "list_generators": "nbdrag.generators.zoo",
    "load_generator": "nbdrag.generators.zoo",
    "load_predictor": "nbdrag.editing.latent_predictor_file",
    "load_segmenter": "nbdrag.generators.segmenter_file",
    "load_transformer": "nbdrag.editing.latent_transformer_file",
    "masked_picture": "nbdrag.editing.auto_draggan",
    "paint": "nbdrag.editing.editgan",
    "project": "nbdrag.projection.optimize",
    "refine": "nbdrag.editing.editgan",
    "sample": "nbdrag.runtime.wishes",
    "to_pil": "nbdrag.runtime.pictures",
    "transfer_edit": "nbdrag.runtime.batch.transfer",
    "watch": "nbdrag.runtime.batch.progress",
}
"""Where each public name lives."""

_MODULES = {
    "sinks": "nbdrag.runtime.batch.sinks",
    "sources": "nbdrag.runtime.batch.sources",
    "toonfaces": "nbdrag.toonfaces",
}
"""Names that stand for whole modules."""

__all__ = [*_HOME, *_MODULES, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
