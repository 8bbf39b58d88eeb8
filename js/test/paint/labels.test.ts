import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { here } from "../../bundle.mjs";
import {
  boxOf,
  difference,
  filled,
  type PartMap,
  partAt,
  type Stroke,
  withStroke,
} from "../../src/paint/labels";

const map = (rows: readonly string[]): PartMap => ({
  width: rows[0]?.length ?? 0,
  height: rows.length,
  labels: Uint8Array.from(rows.join(""), Number),
});

const rows = ({ width, labels }: PartMap): string[] =>
  Array.from({ length: labels.length / width }, (_, y) =>
    [...labels.subarray(y * width, (y + 1) * width)].join(""),
  );

interface Example {
  readonly labels: string[];
  readonly original: string[];
  readonly mirrored: number[];
  readonly stroke: Stroke;
  readonly expected: string[];
}

// What the kernel makes of them; its own test holds it to the same file.
const EXAMPLES: Example[] = JSON.parse(readFileSync(here("../tests/widgets/strokes.json"), "utf8"));

describe("a stroke", () => {
  it.each(EXAMPLES)("$stroke.kind $stroke.tool paints what the kernel paints", (example) => {
    const before = map(example.labels);
    const found = withStroke(before, map(example.original), example.stroke, example.mirrored);
    expect(rows(found)).toEqual(example.expected);
    // What it starts from is left alone.
    expect(rows(before)).toEqual(example.labels);
  });
});

const FACE = map(["0000", "0120", "0110", "0000"]);

it("tells the part at a point, and none beside the picture", () => {
  expect(partAt(FACE, [2.9, 1.1])).toBe(2);
  expect(partAt(FACE, [4, 1])).toBeNull();
  expect(partAt(FACE, [-0.1, 1])).toBeNull();
});

it("finds the box around parts", () => {
  expect(boxOf(FACE, [1, 2])).toEqual({ left: 1, top: 1, right: 3, bottom: 3 });
  expect(boxOf(FACE, [2])).toEqual({ left: 2, top: 1, right: 3, bottom: 2 });
  expect(boxOf(FACE, [3])).toBeNull();
});

it("counts the pixels that differ", () => {
  expect(difference(FACE, FACE)).toBe(0);
  expect(difference(FACE, map(["0000", "0110", "0110", "0001"]))).toBe(2);
});

it("can't close a hole that is everything", () => {
  expect(filled(FACE, new Uint8Array(16).fill(1))).toBeNull();
});
