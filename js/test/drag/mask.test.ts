import { describe, expect, it } from "vitest";
import {
  filledMask,
  type Mask,
  type Stroke,
  softened,
  tinted,
  unpackMask,
  veilOpacity,
  withStroke,
} from "../../src/drag/mask";

const SIZE = { width: 24, height: 16 };

/** The same by the definition: every pixel's centre against every piece of the path. */
function literally({ tool, radius, path }: Stroke, x: number, y: number): boolean {
  if (tool === "lasso" || tool === "lasso_eraser") return windingNumber(path, x, y) !== 0;
  return path.some(([bx, by], i) => {
    const [ax, ay] = path[Math.max(0, i - 1)] ?? [bx, by];
    const length = (bx - ax) ** 2 + (by - ay) ** 2 || 1;
    const t = Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length));
    return Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)) <= radius;
  });
}

/** Turns of the path around the point, by summing angles. */
function windingNumber(path: Stroke["path"], x: number, y: number): number {
  const angles = path.map(([px, py]) => Math.atan2(py - y, px - x));
  const turned = angles.reduce((sum, angle, i) => {
    const step = angle - (angles.at(i - 1) ?? angle);
    return sum + Math.atan2(Math.sin(step), Math.cos(step));
  }, 0);
  return Math.round(turned / (2 * Math.PI));
}

const at = ({ bits, width }: Mask, x: number, y: number) => bits[y * width + x];

const PATHS: [string, Stroke["path"]][] = [
  ["a dab", [[7.3, 8.1]]],
  [
    "a line out of the image",
    [
      [-4.2, 3.3],
      [30.1, 12.7],
    ],
  ],
  [
    "a bend",
    [
      [3.2, 2.4],
      [19.7, 4.9],
      [8.1, 14.3],
      [2.2, 7.7],
    ],
  ],
  [
    "a loop that crosses itself",
    [
      [2.1, 2.2],
      [20.3, 13.4],
      [20.6, 2.3],
      [2.4, 13.1],
      [11.7, 15.2],
      [12.2, 0.3],
    ],
  ],
];

describe.each(["brush", "eraser", "lasso", "lasso_eraser"] as const)("%s", (tool) => {
  it.each(PATHS)("covers the pixels it should along %s", (_name, path) => {
    const adds = tool === "brush" || tool === "lasso";
    const stroke = { tool, radius: 2.6, path };
    const mask = withStroke(null, stroke, SIZE);
    for (let y = 0; y < SIZE.height; y++) {
      for (let x = 0; x < SIZE.width; x++) {
        const covered = literally(stroke, x + 0.5, y + 0.5);
        expect(at(mask, x, y), `pixel ${x}, ${y}`).toBe(covered === adds ? 1 : 0);
      }
    }
  });
});

it("keeps what was there, and leaves the mask it starts from alone", () => {
  const first = withStroke(null, { tool: "brush", radius: 2, path: [[4, 4]] }, SIZE);
  const copy = first.bits.slice();
  const second = withStroke(first, { tool: "brush", radius: 2, path: [[18, 10]] }, SIZE);
  expect(at(second, 4, 4)).toBe(1);
  expect(at(second, 18, 10)).toBe(1);
  const third = withStroke(second, { tool: "eraser", radius: 2, path: [[4, 4]] }, SIZE);
  expect(at(third, 4, 4)).toBe(0);
  expect(at(third, 18, 10)).toBe(1);
  expect(first.bits).toEqual(copy);
});

it("unpacks bits row by row, lowest bit first", () => {
  const mask = unpackMask(Uint8Array.from([0b0000_0101, 0b1000_0000]), { width: 4, height: 4 });
  expect([...mask.bits]).toEqual([1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
});

describe("the veil", () => {
  it("lies on what may not move", () => {
    const mask = { ...filledMask({ width: 2, height: 1 }, 0), bits: Uint8Array.from([1, 0]) };
    expect([...tinted(veilOpacity(mask), [11, 21, 38, 100])]).toEqual([
      0, 0, 0, 0, 11, 21, 38, 100,
    ]);
  });

  it("can be softened, which leaves an even veil as it is", () => {
    const even = veilOpacity(filledMask(SIZE, 0));
    expect(softened(even, SIZE)).toEqual(even);
    const dot = new Float32Array(9);
    dot[4] = 1;
    expect([...softened(dot, { width: 3, height: 3 })].map((v) => v * 16)).toEqual([
      1, 2, 1, 2, 4, 2, 1, 2, 1,
    ]);
  });
});
