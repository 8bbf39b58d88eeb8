"""Every message between the kernel and the page, both ways, as typed structs.

A message is a JSON object whose `kind` names its struct, with at most one binary buffer beside it
(`Vectors` have one each).
What the page says is in `from_page`, what the kernel says in `from_kernel`, and what both need is
here. js/src/shared/protocol.gen.ts is written from these three files by

    python -m nbdrag.widgets.protocol --typescript

The page begins with `Ready` and is answered with everything it needs to draw: a `Snapshot`, the
`Mask`, the picture `Before` any edit, a `Thumbnail` for each entry of the history and the last
`Frame`. From then on every change of state is a new `Snapshot`, sent to all pages alike, and the
page keeps no truth of its own. Whatever a person does is a *request*: it carries an `id` of the
page's choice and is answered by one `Reply`; a request that is refused, or doesn't even decode,
changes nothing. Pages of one kernel see each other's replies, so a page starts counting its ids
at a random number.

While an edit runs, `Frame`s follow each other as fast as the page's `Ack`s allow. A frame's
points and distances are those of its pixels.

A part painter speaks the same and a little more. It is sent the `Parts` that can be painted, the
`Labels` (the part map as it is painted, and the original one, which the generator's segmenter found
in the picture) and the `Vectors` that there are sliders for. Strokes go to the kernel as what the
hand did, never as pixels; each is answered, and the map comes back. The page meanwhile shows what
the stroke will do, by the same rules.

Another model is loaded beside all this: `Loading` tells how far that is, and a new `Snapshot` that
it has come or not. A file from the page's own machine comes as an `Upload` and its `Chunk`s, each
of which is answered; a page has at most a few without an answer under way.

Points are in pixels of the full picture, (x, y), pixel centres at +0.5. Masks are True where the
picture may move.
"""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from msgspec import Meta, Struct

PROTOCOL = 4
"""Raised with every change that an older page would not understand."""

MAX_ID = 2**53 - 1
MAX_SEED = 2**32 - 1
MAX_POINTS = 64
MAX_PATH = 4096
MAX_COORDINATE = 65536.0
MAX_RADIUS = 1024.0
MAX_OPTIONS = 64
MAX_NAME = 64
MAX_SOURCE = 2000
MAX_LABEL = 1 << 20
MAX_PART = 255
MAX_VECTORS = 256
MAX_VECTOR_NAME = 80
MAX_SCALE = 10.0
MAX_UPLOAD = 4 << 30  # bytes
MAX_CHUNK = 1 << 20  # bytes; servers take messages of 10 MB

Count = Annotated[int, Meta(ge=0, le=MAX_ID)]
Coordinate = Annotated[float, Meta(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
Position = tuple[Coordinate, Coordinate]
Pair = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Part = Annotated[int, Meta(ge=0, le=MAX_PART)]
Name = Annotated[str, Meta(max_length=MAX_NAME)]
File = Annotated[str, Meta(max_length=255)]
Scale = Annotated[float, Meta(ge=-MAX_SCALE, le=MAX_SCALE)]
OptionValue = (
    bool
    | Annotated[int, Meta(ge=-MAX_ID, le=MAX_ID)]
    | Annotated[float, Meta(ge=-1e12, le=1e12)]
    | Annotated[str, Meta(max_length=MAX_NAME)]
    | None
)
Level = Literal["info", "busy", "warning", "error"]
Format = Literal["image/jpeg", "image/webp", "image/png"]


class Message(Struct, tag_field="kind", forbid_unknown_fields=True):
    """Base of everything that is sent."""


if __name__ == "__main__":
    from nbdrag.widgets.typescript import main

    sys.exit(main(sys.argv[1:]))
