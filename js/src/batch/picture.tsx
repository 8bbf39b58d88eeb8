// A tile's picture on a canvas of its own, which is drawn anew when another one has come.
//
// It is drawn in the same turn as the tile is: a turn later another picture may have come, and the one
// at hand be closed.

import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Pair, Tiles } from "./tiles";

/** The pictures of an item, as they come. */
export function usePair(tiles: Tiles, item: number): Pair {
  const [, redraw] = useState(0);
  useLayoutEffect(() => tiles.subscribe(item, () => redraw((n) => n + 1)), [tiles, item]);
  return tiles.get(item);
}

interface PictureProps {
  shown: Pair["after"];
  label: string;
  testid: string;
}

export function Picture({ shown, label, testid }: PictureProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const picture = shown?.picture ?? null;
  useLayoutEffect(() => {
    if (canvas.current === null || picture === null) return;
    const { width, height, source } = picture;
    // Setting a size clears the canvas; where it is the same, one picture replaces the other.
    if (canvas.current.width !== width) canvas.current.width = width;
    if (canvas.current.height !== height) canvas.current.height = height;
    canvas.current.getContext("2d")?.drawImage(source, 0, 0);
  }, [picture]);
  const state = shown === undefined ? "waiting" : picture === null ? "broken" : "shown";
  return (
    <canvas
      ref={canvas}
      class="nb-picture"
      role="img"
      aria-label={label}
      data-testid={testid}
      data-picture={state}
    />
  );
}
