// @vitest-environment jsdom

import { createElement, render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, expect, it, vi } from "vitest";
import { Picture, usePair } from "../../src/batch/picture";
import { createTiles } from "../../src/batch/tiles";

afterEach(() => vi.restoreAllMocks());

it("never draws a picture that was closed because a newer one came", async () => {
  const closed = new Set<unknown>();
  const drawn: unknown[] = [];
  const drawImage = (source: unknown) => {
    if (closed.has(source)) throw new Error("The image source is detached");
    drawn.push(source);
  };
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue({ drawImage } as never);
  const tiles = createTiles();
  const put = (alpha: number) => {
    const source = new Image();
    const picture = { width: 1, height: 1, source, close: () => closed.add(source) };
    tiles.put(0, true, { picture, alpha });
    return source;
  };
  const Shown = () =>
    createElement(Picture, { shown: usePair(tiles, 0).after, label: "after", testid: "after" });

  const first = put(1);
  const root = document.createElement("div");
  render(createElement(Shown, null), root); // effects that wait for the screen haven't run yet
  let second: unknown;
  await act(() => {
    second = put(2);
  });
  expect(drawn).toEqual([first, second]);
  expect([...closed]).toEqual([first]);
  render(null, root);
});
