import { describe, expect, it } from "vitest";
import {
  actualSize,
  clampToImage,
  fitTo,
  type Point,
  panBy,
  toImage,
  toStage,
  zoomAt,
} from "../../src/shared/viewport";

const IMAGE = { width: 128, height: 128 };
const STAGE = { width: 400, height: 300 };

describe("fit and actual size", () => {
  it("shows the whole image, centred", () => {
    const viewport = fitTo(IMAGE, STAGE);
    expect(viewport.scale).toBeCloseTo(300 / 128);
    expect(toStage(viewport, [0, 0])).toEqual([50, 0]);
    expect(toStage(viewport, [128, 128])).toEqual([350, 300]);
  });

  it("shows one image pixel per CSS pixel", () => {
    const viewport = actualSize(IMAGE, STAGE);
    expect(toStage(viewport, [64, 64])).toEqual([200, 150]);
    expect(viewport.scale).toBe(1);
  });
});

describe("zoom and pan", () => {
  const points: Point[] = [
    [0, 0],
    [17.5, 99.25],
    [128, 128],
  ];

  it("takes stage coordinates back to image coordinates", () => {
    const viewport = zoomAt(fitTo(IMAGE, STAGE), 3.3, [120, 40], IMAGE, STAGE);
    for (const point of points) {
      const [x, y] = toImage(viewport, toStage(viewport, point));
      expect(x).toBeCloseTo(point[0]);
      expect(y).toBeCloseTo(point[1]);
    }
  });

  it("leaves the point under the pointer where it is", () => {
    const before = fitTo(IMAGE, STAGE);
    const anchor: Point = [180, 140];
    const after = zoomAt(before, 4, anchor, IMAGE, STAGE);
    const [x, y] = toImage(before, anchor);
    const [u, v] = toImage(after, anchor);
    expect(u).toBeCloseTo(x);
    expect(v).toBeCloseTo(y);
    expect(after.scale).toBeCloseTo(before.scale * 4);
  });

  it("never shrinks below the fit, or one pixel per pixel", () => {
    const large = { width: 1024, height: 1024 };
    expect(zoomAt(fitTo(IMAGE, STAGE), 1e-6, [0, 0], IMAGE, STAGE).scale).toBe(1);
    expect(zoomAt(fitTo(large, STAGE), 1e-6, [0, 0], large, STAGE).scale).toBeCloseTo(300 / 1024);
  });

  it("keeps the image in sight", () => {
    const near = zoomAt(fitTo(IMAGE, STAGE), 4, [200, 150], IMAGE, STAGE);
    const away = panBy(near, [1e6, -1e6], IMAGE, STAGE);
    const [left, top] = toStage(away, [0, 0]);
    const [right, bottom] = toStage(away, [128, 128]);
    expect(left).toBeLessThan(STAGE.width);
    expect(bottom).toBeGreaterThan(0);
    expect(right).toBeGreaterThan(left);
    expect(top).toBeLessThan(0);
  });

  it("keeps an image that fits centred", () => {
    const viewport = actualSize(IMAGE, STAGE);
    expect(panBy(viewport, [50, 50], IMAGE, STAGE)).toEqual(viewport);
  });
});

it("clamps to the image, edges included", () => {
  expect(clampToImage([-3, 130], IMAGE)).toEqual([0, 128]);
  expect(clampToImage([64.5, 12], IMAGE)).toEqual([64.5, 12]);
});
