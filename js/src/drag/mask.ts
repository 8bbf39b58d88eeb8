// The mask: true where the image may move.
//
// The kernel rasterises strokes and is the truth; the page draws the same strokes meanwhile, so
// that painting shows at once.

import { inside, near } from "../shared/raster";
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
  const { tool, path, radius } = stroke;
  const region = tool.startsWith("lasso") ? inside(path, start) : near(path, radius, start);
  return { ...start, bits: start.bits.map((bit, i) => (region[i] === 1 ? value : bit)) };
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
