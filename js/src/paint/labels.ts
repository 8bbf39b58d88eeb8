// The part map: which part each pixel shows, and what a stroke does to it.
//
// By the kernel's rules to the pixel, for that is where the truth is made (widgets/labels.py): what
// is drawn here at once is what will come of it.

import type { MovePart, PaintLabels } from "../shared/protocol.gen";
import { inside, near } from "../shared/raster";
import type { Point, Size } from "../shared/viewport";

export interface PartMap extends Size {
  /** One byte a pixel, row by row: the part's index. */
  readonly labels: Uint8Array;
}

/** One stroke, as it is sent. */
export type Stroke = PaintStroke | MoveStroke;

export interface PaintStroke extends Omit<PaintLabels, "id" | "path"> {
  readonly path: readonly Point[];
}

export type MoveStroke = Required<Omit<MovePart, "id">>;

/** The map with a stroke on it; `mirrored` has for each part that of the other side. */
export function withStroke(
  map: PartMap,
  original: PartMap,
  stroke: Stroke,
  mirrored: readonly number[],
): PartMap {
  if (stroke.kind === "move_part") return movedOnBothSides(map, stroke, mirrored);
  const erases = stroke.tool === "eraser" || stroke.tool === "lasso_eraser";
  const part = stroke.part ?? 0;
  const { path } = stroke;
  const once = { ...map, labels: map.labels.slice() };
  cover(once, stroke, path, erases ? original.labels : part);
  if (stroke.mirror) {
    const other = path.map(([x, y]): Point => [map.width - x, y]);
    cover(once, stroke, other, erases ? original.labels : (mirrored[part] ?? part));
  }
  return once;
}

function cover(map: PartMap, stroke: PaintStroke, path: readonly Point[], by: Uint8Array | number) {
  const region = covered(map, stroke, path);
  for (let i = 0; i < region.length; i++) {
    if (region[i] === 1) map.labels[i] = typeof by === "number" ? by : (by[i] ?? 0);
  }
}

function covered(map: PartMap, { tool, radius }: PaintStroke, path: readonly Point[]): Uint8Array {
  if (tool === "fill") return hangingTogether(map, path[0] ?? [-1, -1]);
  return tool.startsWith("lasso") ? inside(path, map) : near(path, radius, map);
}

/** Pixels of one part that hang together, by their sides, with the one at the point; or none. */
export function hangingTogether({ width, height, labels }: PartMap, [x, y]: Point): Uint8Array {
  const found = new Uint8Array(width * height);
  const start = Math.floor(y) * width + Math.floor(x);
  if (x < 0 || y < 0 || x >= width || y >= height) return found;
  const part = labels[start];
  const ahead = [start];
  while (ahead.length > 0) {
    const at = ahead.pop() ?? 0;
    if (found[at] === 1 || labels[at] !== part) continue;
    found[at] = 1;
    const column = at % width;
    if (column > 0) ahead.push(at - 1);
    if (column < width - 1) ahead.push(at + 1);
    if (at >= width) ahead.push(at - width);
    if (at < labels.length - width) ahead.push(at + width);
  }
  return found;
}

function movedOnBothSides(map: PartMap, move: MoveStroke, mirrored: readonly number[]): PartMap {
  const once = moved(map, move);
  if (!move.mirror) return once;
  const others = move.parts.map((part) => mirrored[part] ?? part);
  const parts = others.filter((part) => !move.parts.includes(part));
  return moved(once, { ...move, parts, dx: -move.dx });
}

/** The map with parts moved and scaled about the centre of the box around them. */
export function moved(map: PartMap, move: MoveStroke): PartMap {
  const { width, height, labels } = map;
  const moving = labels.map((label) => (move.parts.includes(label) ? 1 : 0));
  const box = boxOf(map, move.parts);
  const result = filled(map, moving);
  if (box === null || result === null) return map;
  const fromX = sources(width, (box.left + box.right) / 2, move.dx, move.scale_x);
  const fromY = sources(height, (box.top + box.bottom) / 2, move.dy, move.scale_y);
  fromY.forEach((y, row) => {
    if (y < 0) return;
    fromX.forEach((x, column) => {
      const from = y * width + x;
      if (x >= 0 && moving[from] === 1) result.labels[row * width + column] = labels[from] ?? 0;
    });
  });
  return result;
}

/** Along one axis: where the pixel comes from that is shown at each place; -1 for outside. */
function sources(length: number, centre: number, shift: number, scale: number): number[] {
  return Array.from({ length }, (_, i) => {
    const source = Math.floor(centre + (i + 0.5 - centre - shift) / scale);
    return source < 0 || source >= length ? -1 : source;
  });
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The box around all pixels of some parts, in pixels; null where there are none. */
export function boxOf({ width, labels }: PartMap, parts: readonly number[]): Box | null {
  let left = Number.POSITIVE_INFINITY;
  let right = -1;
  let top = -1;
  let bottom = -1;
  for (let i = 0; i < labels.length; i++) {
    if (!parts.includes(labels[i] ?? -1)) continue;
    const row = Math.floor(i / width);
    const column = i % width;
    if (top < 0) top = row;
    bottom = row + 1;
    left = Math.min(left, column);
    right = Math.max(right, column + 1);
  }
  return top < 0 ? null : { left, top, right, bottom };
}

/**
 * The map with its holes closed from beside, ring by ring: a pixel takes the label above it, or else
 * to its left, to its right, below it, whichever the rings before have first. Null when all is hole.
 */
export function filled(map: PartMap, holes: Uint8Array): PartMap | null {
  const { width, height } = map;
  const labels = map.labels.slice();
  const open = holes.slice();
  let ring = [...holes.keys()].filter((i) => holes[i] === 1);
  while (ring.length > 0) {
    const found: [at: number, label: number][] = [];
    for (const at of ring) {
      const column = at % width;
      const from = [
        at >= width ? at - width : -1,
        column > 0 ? at - 1 : -1,
        column < width - 1 ? at + 1 : -1,
        at < width * (height - 1) ? at + width : -1,
      ].find((beside) => beside >= 0 && open[beside] === 0);
      if (from !== undefined) found.push([at, labels[from] ?? 0]);
    }
    if (found.length === 0) return null;
    for (const [at, label] of found) {
      labels[at] = label;
      open[at] = 0;
    }
    ring = ring.filter((at) => open[at] === 1);
  }
  return { ...map, labels };
}

/** The part at a point of the image; null beside it. */
export function partAt({ width, height, labels }: PartMap, [x, y]: Point): number | null {
  if (x < 0 || y < 0 || x >= width || y >= height) return null;
  return labels[Math.floor(y) * width + Math.floor(x)] ?? null;
}

/** How many pixels differ. */
export function difference(one: PartMap, other: PartMap): number {
  return one.labels.reduce((sum, label, i) => sum + (label === other.labels[i] ? 0 : 1), 0);
}
