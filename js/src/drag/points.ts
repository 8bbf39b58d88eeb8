// Point pairs: a handle (red) that moves to its target (blue), in image pixels.

import { clampToImage, distance, type Point, type Size } from "../shared/viewport";

export interface Pair {
  readonly handle: Point;
  readonly target: Point;
}

export type Role = "handle" | "target";

/** Names one of a list's points. */
export interface PointRef {
  readonly index: number;
  readonly role: Role;
}

/** The form in which pairs travel: [handle x, handle y, target x, target y]. */
export type PairRow = [number, number, number, number];

export function toRows(pairs: readonly Pair[]): PairRow[] {
  return pairs.map(({ handle, target }) => [handle[0], handle[1], target[0], target[1]]);
}

export function fromRows(rows: readonly (readonly number[])[]): Pair[] {
  return rows.map(([hx = 0, hy = 0, tx = 0, ty = 0]) => ({ handle: [hx, hy], target: [tx, ty] }));
}

export function gap({ handle, target }: Pair): number {
  return distance(handle, target);
}

export function withPoint(pairs: readonly Pair[], at: PointRef, point: Point): Pair[] {
  return pairs.map((pair, index) => (index === at.index ? { ...pair, [at.role]: point } : pair));
}

export function withoutPair(pairs: readonly Pair[], index: number): Pair[] {
  return pairs.filter((_, other) => other !== index);
}

/** The point moved by (dx, dy) image pixels; it stops at the image's edge. */
export function nudged(pairs: readonly Pair[], at: PointRef, [dx, dy]: Point, image: Size): Pair[] {
  const [x, y] = pairs[at.index]?.[at.role] ?? [0, 0];
  return withPoint(pairs, at, clampToImage([x + dx, y + dy], image));
}

/**
 * The point nearest to `point` within `reach` image pixels.
 *
 * A handle and its target can lie on one another; the later pair and the target are on top, as
 * drawn, and win.
 */
export function hitTest(pairs: readonly Pair[], point: Point, reach: number): PointRef | null {
  let best: PointRef | null = null;
  let least = reach;
  pairs.forEach((pair, index) => {
    for (const role of ["handle", "target"] as const) {
      const away = distance(pair[role], point);
      if (away > least) continue;
      least = away;
      best = { index, role };
    }
  });
  return best;
}

export function samePoint(a: PointRef | null, b: PointRef | null): boolean {
  return a?.index === b?.index && a?.role === b?.role;
}
