"""A drag, one iteration at a time: `StepInspector`.

For lessons. Five panels show what the method looks at: the picture; the features that motion
supervision pushes, as colours; the window in which point tracking searches, with the distance at
every pixel; the loss; and how far the handles still are. It is drawn from Python on an ipycanvas,
so a teacher can change a panel by changing a function. Iterations are computed when first looked
at, so nothing has to be waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np
import torch
from ipycanvas import Canvas, hold_canvas
from numpy.typing import NDArray
from torch import Tensor

from nbdrag.editing.anatomy import Anatomy, Colouring, dissect, feature_map
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import DragStep, drag
from nbdrag.editing.features import Size, sample
from nbdrag.editing.inputs import Array
from nbdrag.editing.step import EditDiverged
from nbdrag.generators.stylegan2 import Generator

PANEL = 232  # height and width of a panel, CSS pixels; what isn't square fills one of them
GAP, CAPTION = 12, 22
HANDLE, TARGET, FOUND = "#e5484d", "#2f6fde", "#12a594"
INK, FAINT = "#7d838c", "#9aa0a8"  # to be read on light and on dark
FONT = "12px system-ui, sans-serif"

Pixels = NDArray[np.uint8]


class StepInspector(ipywidgets.VBox):
    """Look into the iterations of a drag, forwards and back.

    Parameters
    ----------
    generator, ws, handles, targets, mask, options
        As for `nbdrag.drag`.
    limit : int
        Iterations that can be looked at, at most.

    Attributes
    ----------
    index : int
        The iteration shown; 1 is the first. Settable.
    steps : tuple of DragStep
        Those computed so far.

    Raises
    ------
    ValueError, EditDiverged
        As `nbdrag.drag` does; EditDiverged from the first iteration only, later ones say so.
    """

    def __init__(
        self,
        generator: Generator,
        ws: Tensor,
        handles: Array,
        targets: Array,
        mask: Array | None = None,
        options: DragOptions | None = None,
        *,
        limit: int = 60,
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit is {limit}; expected 1 or more iterations.")
        self._options = options or DragOptions.for_generator(generator)
        self._edit = drag(generator, ws, handles, targets, mask, self._options)
        self._generator, self._start = generator, ws.detach().clone()
        self._handles = torch.as_tensor(np.asarray(handles), dtype=ws.dtype).reshape(-1, 2)
        self._steps: list[DragStep] = []
        self._ended, self._end = False, "The drag ended here."
        self._advance()  # says, from its preview, which block's features it follows
        block = self._steps[0].preview.shape[1]
        first = feature_map(generator, self._start, block)
        self._colouring = Colouring.of(first)
        self._wanted = sample(first, self._handles, (generator.height, generator.width))
        self._features = [first]

        self.canvas = Canvas(
            width=3 * PANEL + 2 * GAP,
            height=PANEL + PANEL // 2 + 2 * CAPTION + GAP,
            sync_image_data=True,  # so that a reloaded page shows it again
        )
        self._slider = ipywidgets.IntSlider(
            value=1, min=1, max=limit, description="Iteration", continuous_update=True
        )
        back = ipywidgets.Button(icon="step-backward", tooltip="One iteration back")
        onwards = ipywidgets.Button(icon="step-forward", tooltip="One iteration on")
        self._play = ipywidgets.Play(min=1, max=limit, interval=250)
        for button in (back, onwards):
            button.layout.width = "44px"
        back.on_click(lambda _: self._go(self.index - 1))
        onwards.on_click(lambda _: self._go(self.index + 1))
        ipywidgets.jslink((self._play, "value"), (self._slider, "value"))
        self._slider.observe(lambda change: self._go(change["new"]), "value")
        self._note = ipywidgets.HTML()
        controls = ipywidgets.HBox([self._play, back, onwards, self._slider])
        super().__init__([self.canvas, controls, self._note])
        self.draw()

    @property
    def steps(self) -> tuple[DragStep, ...]:
        """The iterations computed so far."""
        return tuple(self._steps)

    @property
    def index(self) -> int:
        """The iteration shown, from 1."""
        return int(self._slider.value)

    @index.setter
    def index(self, index: int) -> None:
        if not 1 <= index <= self._slider.max:
            raise ValueError(f"index is {index}; expected 1 to {self._slider.max}.")
        self._go(index)

    def anatomy(self) -> Anatomy:
        """What the iteration shown looked at, for figures of one's own."""
        index = self.index
        points = self._handles if index == 1 else self._steps[index - 2].points
        return dissect(
            self._features_after(index - 1),
            self._features_after(index),
            self._wanted,
            points,
            self._steps[index - 1].targets,
            self._colouring,
            patch_radius=self._options.patch_radius,
            search_radius=self._options.search_radius,
            size=(self._generator.height, self._generator.width),
        )

    def draw(self) -> None:
        """Draw the iteration shown."""
        anatomy = self.anatomy()
        shown = self._steps[: self.index]
        step = shown[-1]
        with torch.no_grad():
            image = self._generator.synthesis(step.ws[None]).image[0]
        picture = ((image + 1) * 127.5).clamp(0, 255).permute(1, 2, 0).numpy()
        scale = PANEL / max(self._generator.height, self._generator.width)
        with hold_canvas(self.canvas):
            self.canvas.clear()
            self.canvas.font = FONT
            panels = [
                ("Picture after the update", lambda: self._picture(picture, step, scale)),
                ("Motion supervision: features", lambda: self._supervision(anatomy, scale)),
                ("Point tracking: |F(q) - F₀(p₀)|", lambda: self._tracking(anatomy)),
            ]
            for place, (caption, paint) in enumerate(panels):
                self._panel(place * (PANEL + GAP), 0, caption, paint)
            width, top = (3 * PANEL + GAP) / 2, PANEL + CAPTION + GAP
            losses = [each.loss for each in shown]
            distances = [each.distances.mean().item() for each in shown]
            curve = f"Loss {losses[-1]:.3g}"
            self._panel(0, top, curve, lambda: self._curve(losses, width, HANDLE))
            curve = f"Mean distance {distances[-1]:.2f} px"
            self._panel(width + GAP, top, curve, lambda: self._curve(distances, width, TARGET))
        state = "arrived" if step.done else "on its way"
        self._note.value = f"Iteration {step.index}: {state}." + (
            f" {self._end}" if self._ended and self.index == len(self._steps) else ""
        )

    # ------------------------------------------------------------------------------- iterations

    def _advance(self) -> bool:
        """Compute one more iteration; False where the drag has ended."""
        try:
            step = next(self._edit, None)
        except EditDiverged as error:
            if not self._steps:
                raise
            step, self._end = None, f"Here {error}"
        self._ended = step is None
        if step is not None:
            self._steps.append(step)
        return step is not None

    def _go(self, index: int) -> None:
        index = max(1, min(index, self._slider.max))
        while len(self._steps) < index and self._advance():
            pass
        if self._ended:
            self._slider.max = self._play.max = max(1, len(self._steps))
        index = min(index, len(self._steps))
        if self._slider.value != index:
            self._slider.value = index  # comes back here, through its observer
            return
        self.draw()

    def _features_after(self, index: int) -> Tensor:
        """Features after so many iterations; computed once."""
        block = self._features[0].shape[1]
        while len(self._features) <= index:
            ws = self._steps[len(self._features) - 1].ws
            self._features.append(feature_map(self._generator, ws, block))
        return self._features[index]

    # ----------------------------------------------------------------------------------- panels

    def _panel(self, x: float, y: float, caption: str, paint: Callable[[], None]) -> None:
        """Give `paint` a panel of its own, whose upper left corner is the origin."""
        canvas = self.canvas
        canvas.save()
        canvas.translate(x, y)
        canvas.fill_style = INK
        canvas.fill_text(caption, 0, CAPTION - 8)
        canvas.translate(0, CAPTION)
        paint()
        canvas.restore()

    def _picture(self, picture: Pixels, step: DragStep, scale: float) -> None:
        self._image(picture, self._shown_size())
        path = [self._handles, *(each.points for each in self._steps[: self.index])]
        for trail in torch.stack(path, 1).tolist():
            self._line([(x * scale, y * scale) for x, y in trail], HANDLE)
        pairs = zip(step.points.tolist(), step.targets.tolist(), strict=True)
        for (x, y), (to_x, to_y) in pairs:
            self._dot(x * scale, y * scale, HANDLE)
            self._dot(to_x * scale, to_y * scale, TARGET)

    def _supervision(self, anatomy: Anatomy, scale: float) -> None:
        self._image((anatomy.colours_before * 255).numpy(), self._shown_size())
        canvas = self.canvas
        for points, (x, y), (dx, dy) in zip(
            anatomy.patches.tolist(),
            anatomy.points.tolist(),
            anatomy.directions.tolist(),
            strict=True,
        ):
            # d is one pixel long; drawn longer, so that it can be seen.
            self._line([(x * scale, y * scale), ((x + 12 * dx) * scale, (y + 12 * dy) * scale)])
            # Each pixel of the patch, with a white edge around all of them.
            for colour, edge in (("white", 2.0), (HANDLE, 0.0)):
                canvas.fill_style = colour
                for left, top in ((u * scale, v * scale) for u, v in points):
                    side = scale + 2 * edge
                    canvas.fill_rect(left - side / 2, top - side / 2, side, side)

    def _tracking(self, anatomy: Anatomy) -> None:
        """The windows side by side, as many as there are handles; at most four."""
        windows = anatomy.windows[:4]
        cells = 1 if len(windows) == 1 else 2
        width = PANEL / cells
        for i, window in enumerate(windows):
            left, top = (i % cells) * width, (i // cells) * width
            finite = window[window.isfinite()]
            value = (window - finite.min()) / (finite.max() - finite.min()).clamp_min(1e-12)
            self.canvas.save()
            self.canvas.translate(left, top)
            self._image(heat(value.clamp(0, 1).numpy()), (round(width) - 2, round(width) - 2))
            cell = (width - 2) / window.shape[0]
            for point, colour in ((anatomy.points[i], HANDLE), (anatomy.found[i], FOUND)):
                x, y = ((point - anatomy.corners[i] + 0.5) * cell).tolist()
                self._dot(x, y, colour)
            self.canvas.restore()

    def _curve(self, values: Sequence[float], width: float, colour: str) -> None:
        height = PANEL / 2 - CAPTION
        top = max(*values, 1e-12)
        across = max(len(values) - 1, 1)
        line = [(width * i / across, height * (1 - v / top)) for i, v in enumerate(values)]
        self._line([(0, height), (width, height)], FAINT)
        self._line(line if len(line) > 1 else [line[0], (width, line[0][1])], colour)

    # ----------------------------------------------------------------------------------- pencil

    def _shown_size(self) -> Size:
        """Height and width of a picture in its panel."""
        height, width = self._generator.height, self._generator.width
        longest = max(height, width)
        return round(PANEL * height / longest), round(PANEL * width / longest)

    def _image(self, picture: NDArray[np.generic], size: Size) -> None:
        """Show [h, w, 3] in 0 to 255 without smoothing: a cell should look like a cell."""
        rows, columns = (
            np.arange(shown) * cells // shown
            for shown, cells in zip(size, picture.shape[:2], strict=True)
        )
        enlarged = picture[rows][:, columns].astype(np.uint8)
        self.canvas.put_image_data(enlarged, 0, 0)

    def _line(self, points: Sequence[tuple[float, float]], colour: str = "white") -> None:
        self.canvas.stroke_style, self.canvas.line_width = colour, 2
        self.canvas.stroke_lines(points)

    def _dot(self, x: float, y: float, colour: str) -> None:
        self.canvas.fill_style = "white"
        self.canvas.fill_circle(x, y, 5.5)
        self.canvas.fill_style = colour
        self.canvas.fill_circle(x, y, 4)


def heat(values: NDArray[np.floating]) -> Pixels:
    """Values [h, w] in [0, 1] as colours: the nearest (0) bright, the farthest (1) dark."""
    stops = np.array([[255, 244, 190], [246, 160, 90], [150, 50, 90], [28, 16, 60]], float)
    place = values * (len(stops) - 1)
    low = np.minimum(place.astype(int), len(stops) - 2)
    part = (place - low)[..., None]
    mixed: Pixels = (stops[low] * (1 - part) + stops[low + 1] * part).astype(np.uint8)
    return mixed
