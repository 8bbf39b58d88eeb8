// The mask: true where the image may move.
//
// The kernel rasterises strokes and is the truth; the page draws the same strokes meanwhile, so
// that painting shows at once. A pixel belongs to a brush stroke when its centre lies within
// `radius` of the path, and to a lasso when the closed path winds around its centre.

import type { Point, Size } from "../shared/viewport";

export type MaskTool = "brush" | "eraser" | "lasso" | "lasso_eraser";

export interface Stroke {
  readonly tool: MaskTool;
  /** Image pixels. */
  readonly radius: number;
  readonly path: readonly Point[];
}

export interface Mask extends Size {
  /** One byte a pixel, row by row: 1 = may move. */
  readonly bits: Uint8Array;
}

export function filledMask({ width, height }: Size, value: 0 | 1): Mask {
  return { width, height, bits: new Uint8Array(width * height).fill(value) };
}

/** Unpacks bits as they travel: row-major, least significant bit first. */
export function unpackMask(packed: Uint8Array, { width, height }: Size): Mask {
  const bits = new Uint8Array(width * height);
  for (let i = 0; i < bits.length; i++) bits[i] = ((packed[i >> 3] ?? 0) >> (i & 7)) & 1;
  return { width, height, bits };
}

/**
 * The mask with a stroke on it; null stands for "everything may move".
 *
 * The first brush stroke or lasso on such an empty mask says what may move, so it starts from a
 * mask of nothing; the first eraser stroke takes away from everything.
 */
export function withStroke(mask: Mask | null, stroke: Stroke, size: Size): Mask {
  const value = stroke.tool === "brush" || stroke.tool === "lasso" ? 1 : 0;
  const start = mask ?? filledMask(size, value === 1 ? 0 : 1);
  const result = { ...start, bits: start.bits.slice() };
  if (stroke.tool.startsWith("lasso")) fillPolygon(result, stroke.path, value);
  else strokePath(result, stroke.path, stroke.radius, value);
  return result;
}

function strokePath(mask: Mask, path: readonly Point[], radius: number, value: 0 | 1): void {
  path.forEach((point, i) => {
    strokeSegment(mask, path[i - 1] ?? point, point, radius, value);
  });
}

function strokeSegment(mask: Mask, a: Point, b: Point, radius: number, value: 0 | 1): void {
  const left = Math.max(0, Math.floor(Math.min(a[0], b[0]) - radius));
  const right = Math.min(mask.width, Math.ceil(Math.max(a[0], b[0]) + radius));
  const top = Math.max(0, Math.floor(Math.min(a[1], b[1]) - radius));
  const bottom = Math.min(mask.height, Math.ceil(Math.max(a[1], b[1]) + radius));
  const dx = b[0] - a[0];
  const dy = b[1] - a[1];
  const lengthSquared = dx * dx + dy * dy;
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const px = column + 0.5 - a[0];
      const py = row + 0.5 - a[1];
      // The nearest point of the segment, as a fraction of its length.
      const t =
        lengthSquared === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / lengthSquared));
      const away = (px - t * dx) ** 2 + (py - t * dy) ** 2;
      if (away <= radius * radius) mask.bits[row * mask.width + column] = value;
    }
  }
}

function fillPolygon(mask: Mask, path: readonly Point[], value: 0 | 1): void {
  for (let row = 0; row < mask.height; row++) {
    let winding = 0;
    let from = 0;
    for (const { x, turn } of crossings(path, row + 0.5)) {
      if (winding === 0) from = x;
      winding += turn;
      if (winding === 0) fillRow(mask, row, from, x, value);
    }
  }
}

function fillRow(mask: Mask, row: number, from: number, to: number, value: 0 | 1): void {
  const first = Math.max(0, Math.ceil(from - 0.5));
  const end = Math.min(mask.width, Math.ceil(to - 0.5));
  if (end > first) mask.bits.fill(value, row * mask.width + first, row * mask.width + end);
}

/** Where the closed path crosses the horizontal line at `y`, from left to right, and which way. */
function crossings(path: readonly Point[], y: number): { x: number; turn: 1 | -1 }[] {
  const found: { x: number; turn: 1 | -1 }[] = [];
  path.forEach(([bx, by], i) => {
    const [ax, ay] = path.at(i - 1) ?? [bx, by];
    if (ay > y === by > y) return;
    found.push({ x: ax + ((y - ay) / (by - ay)) * (bx - ax), turn: by > ay ? 1 : -1 });
  });
  return found.sort((a, b) => a.x - b.x);
}

/** How opaque the veil is at each pixel, 0 to 1: 1 where the mask is 0. */
export function veilOpacity({ bits }: Mask): Float32Array {
  return Float32Array.from(bits, (bit) => 1 - bit);
}

/** The same with soft edges: each pixel averaged with its neighbours by [1, 2, 1] both ways. */
export function softened(opacity: Float32Array, { width, height }: Size): Float32Array {
  const along = (from: Float32Array, length: number, lines: number, step: number, line: number) => {
    const to = new Float32Array(from.length);
    for (let i = 0; i < lines; i++) {
      for (let j = 0; j < length; j++) {
        const at = i * line + j * step;
        const here = from[at] ?? 0;
        const before = j > 0 ? (from[at - step] ?? 0) : here;
        const after = j < length - 1 ? (from[at + step] ?? 0) : here;
        to[at] = (before + 2 * here + after) / 4;
      }
    }
    return to;
  };
  return along(along(opacity, width, height, 1, width), height, width, width, 1);
}

/** RGBA pixels of one colour, with its alpha times the opacity. */
export function tinted(
  opacity: Float32Array,
  [red, green, blue, alpha]: readonly [number, number, number, number],
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(opacity.length * 4);
  opacity.forEach((value, i) => {
    if (value > 0) pixels.set([red, green, blue, alpha * value], i * 4);
  });
  return pixels;
}
