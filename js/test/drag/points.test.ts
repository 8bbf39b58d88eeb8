import { expect, it } from "vitest";
import {
  fromRows,
  gap,
  hitTest,
  nudged,
  type Pair,
  toRows,
  withoutPair,
  withPoint,
} from "../../src/drag/points";

const IMAGE = { width: 128, height: 128 };
const PAIRS: Pair[] = [
  { handle: [20, 30], target: [23, 34] },
  { handle: [100, 100], target: [100, 90] },
];

it("travel as rows and come back", () => {
  expect(toRows(PAIRS)).toEqual([
    [20, 30, 23, 34],
    [100, 100, 100, 90],
  ]);
  expect(fromRows(toRows(PAIRS))).toEqual(PAIRS);
  expect(gap(PAIRS[0] as Pair)).toBe(5);
});

it("are changed without changing the list they come from", () => {
  const moved = withPoint(PAIRS, { index: 1, role: "handle" }, [1, 2]);
  expect(moved[1]).toEqual({ handle: [1, 2], target: [100, 90] });
  expect(PAIRS[1]?.handle).toEqual([100, 100]);
  expect(withoutPair(PAIRS, 0)).toEqual([PAIRS[1]]);
});

it("stop at the image's edge when nudged", () => {
  const at = { index: 1, role: "handle" } as const;
  expect(nudged(PAIRS, at, [1, -10], IMAGE)[1]?.handle).toEqual([101, 90]);
  expect(nudged(PAIRS, at, [500, 500], IMAGE)[1]?.handle).toEqual([128, 128]);
});

it("are hit within reach, the nearest first, the later on top", () => {
  expect(hitTest(PAIRS, [20, 29], 5)).toEqual({ index: 0, role: "handle" });
  expect(hitTest(PAIRS, [23, 33], 5)).toEqual({ index: 0, role: "target" });
  expect(hitTest(PAIRS, [60, 60], 5)).toBeNull();
  const stacked: Pair[] = [
    { handle: [50, 50], target: [50, 50] },
    { handle: [50, 50], target: [50, 50] },
  ];
  expect(hitTest(stacked, [50, 51], 5)).toEqual({ index: 1, role: "target" });
});
