import { describe, expect, it } from "vitest";
import { layOut, MARGIN, placesIn, rowsInSight, scrollFor } from "../../src/batch/layout";

describe("the layout", () => {
  it("fits as many columns as are wide enough, and fills the width with them", () => {
    const { columns, width, rows } = layOut(800, 240, 1);
    expect(columns).toBe(8);
    expect(width).toBeGreaterThanOrEqual(84);
    expect(columns * width + (columns - 1) * 10).toBeLessThanOrEqual(800 - 2 * MARGIN);
    expect(rows).toBe(30);
  });

  it("has one column at least, and no rows without pictures", () => {
    expect(layOut(0, 5, 1).columns).toBe(1);
    expect(layOut(30, 5, 1)).toMatchObject({ columns: 1, rows: 5 });
    expect(layOut(800, 0, 1)).toMatchObject({ rows: 0 });
  });

  it("is as high as the pictures' shape asks for", () => {
    expect(layOut(800, 10, 2).height).toBe(2 * layOut(800, 10, 2).width);
  });

  it("knows which rows are in sight, however far one scrolls", () => {
    const layout = layOut(800, 1000, 1);
    const { pitch, rows, total } = layout;
    expect(rowsInSight(layout, 0, 10)).toEqual([0, 0]);
    expect(rowsInSight(layout, 0, MARGIN + 1)).toEqual([0, 1]);
    expect(rowsInSight(layout, MARGIN + 3 * pitch, 2 * pitch)).toEqual([3, 5]);
    expect(rowsInSight(layout, MARGIN + 3.5 * pitch, 2 * pitch)).toEqual([3, 6]);
    expect(rowsInSight(layout, total - pitch, pitch)[1]).toBe(rows);
    expect(rowsInSight(layout, 1e9, pitch)).toEqual([rows - 1, rows]);
    expect(rowsInSight(layOut(800, 0, 1), 0, 400)).toEqual([0, 0]);
  });

  it("names the places of rows; the last has those that are left", () => {
    const layout = layOut(210, 5, 1);
    expect(layout.columns).toBe(2);
    expect(placesIn(layout, 0, 1, 5)).toEqual([0, 1]);
    expect(placesIn(layout, 1, 3, 5)).toEqual([2, 3, 4]);
    expect(placesIn(layout, 3, 4, 5)).toEqual([]);
  });

  it("scrolls no further than needed", () => {
    const layout = layOut(800, 1000, 1);
    const { pitch } = layout;
    expect(scrollFor(layout, 1, 0, 3 * pitch)).toBe(0);
    expect(scrollFor(layout, 0, 500, 3 * pitch)).toBe(0);
    expect(scrollFor(layout, 5, 0, 3 * pitch)).toBe(6 * pitch + MARGIN - 3 * pitch);
  });
});
