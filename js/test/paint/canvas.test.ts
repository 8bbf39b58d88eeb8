import { expect, it } from "vitest";
import { inColours } from "../../src/paint/canvas";

const PARTS = [
  { name: "skin", colour: "#0a141e", mirrored: 0 },
  { name: "lips", colour: "#ff8001", mirrored: 1 },
];
const map = (...labels: number[]) => ({
  width: labels.length,
  height: 1,
  labels: Uint8Array.from(labels),
});

it("gives every part its colour, and a label without a part none", () => {
  const pixels = [...inColours(map(1, 0, 2), PARTS, new Set())];
  expect(pixels).toEqual([255, 128, 1, 255, 10, 20, 30, 255, 0, 0, 0, 0]);
});

it("leaves out hidden parts, and what is as it was", () => {
  expect([...inColours(map(1, 0), PARTS, new Set([1]))]).toEqual([0, 0, 0, 0, 10, 20, 30, 255]);
  const changed = inColours(map(1, 0), PARTS, new Set(), map(1, 1));
  expect([...changed]).toEqual([0, 0, 0, 0, 10, 20, 30, 255]);
});
