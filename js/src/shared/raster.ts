// Strokes as pixels: a pixel belongs to one when its centre does.
//
// The kernel has the same rules and is the truth; the page draws by them meanwhile, so that painting
// shows at once and nothing jumps when the kernel's answer comes.

import type { Point, Size } from "./viewport";

/** Pixels whose centre is within `radius` of the open line along the path: a byte each, 1 or 0. */
export function near(path: readonly Point[], radius: number, size: Size): Uint8Array {
  const region = new Uint8Array(size.width * size.height);
  path.forEach((point, i) => {
    coverSegment(region, path[i - 1] ?? point, point, radius, size);
  });
  return region;
}

function coverSegment(
  region: Uint8Array,
  a: Point,
  b: Point,
  radius: number,
  { width, height }: Size,
): void {
  const left = Math.max(0, Math.floor(Math.min(a[0], b[0]) - radius));
  const right = Math.min(width, Math.ceil(Math.max(a[0], b[0]) + radius));
  const top = Math.max(0, Math.floor(Math.min(a[1], b[1]) - radius));
  const bottom = Math.min(height, Math.ceil(Math.max(a[1], b[1]) + radius));
  const dx = b[0] - a[0];
  const dy = b[1] - a[1];
  const length = Math.max(dx * dx + dy * dy, 1e-12);
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < right; column++) {
      const px = column + 0.5 - a[0];
      const py = row + 0.5 - a[1];
      // The nearest point of the segment, as a fraction of its length.
      const t = Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      const away = (px - t * dx) ** 2 + (py - t * dy) ** 2;
      if (away <= radius * radius) region[row * width + column] = 1;
    }
  }
}

/** Pixels whose centre the closed path winds around, where it crosses itself too. */
export function inside(path: readonly Point[], { width, height }: Size): Uint8Array {
  const region = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    let winding = 0;
    let from = 0;
    for (const { x, turn } of crossings(path, row + 0.5)) {
      if (winding === 0) from = x;
      winding += turn;
      if (winding !== 0) continue;
      const first = Math.max(0, Math.ceil(from - 0.5));
      const end = Math.min(width, Math.ceil(x - 0.5));
      if (end > first) region.fill(1, row * width + first, row * width + end);
    }
  }
  return region;
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
