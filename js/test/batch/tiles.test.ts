import { describe, expect, it, vi } from "vitest";
import { createNewest } from "../../src/batch/newest";
import { createTiles } from "../../src/batch/tiles";
import type { Picture } from "../../src/shared/pictures";

const picture = () => {
  const close = vi.fn();
  return { width: 1, height: 1, source: {} as CanvasImageSource, close } satisfies Picture;
};

describe("the tiles", () => {
  it("free a picture when the next has come, and not before", () => {
    const tiles = createTiles();
    const [first, second] = [picture(), picture()];
    tiles.put(3, true, { picture: first, alpha: 1 });
    const heard = vi.fn(() => expect(first.close).not.toHaveBeenCalled());
    tiles.subscribe(3, heard);
    tiles.put(3, true, { picture: second, alpha: 2 });
    expect(heard).toHaveBeenCalledOnce();
    expect(first.close).toHaveBeenCalledOnce();
    expect(tiles.get(3).after).toEqual({ picture: second, alpha: 2 });
    expect(tiles.get(3).before).toBeUndefined();
  });

  it("keep so many and no more, the newest and those in sight", () => {
    const tiles = createTiles(3);
    const pictures = [0, 1, 2, 3, 4].map(picture);
    tiles.subscribe(0, () => undefined);
    pictures.forEach((one, item) => {
      tiles.put(item, false, { picture: one, alpha: 0 });
    });
    const there = pictures.map((_, item) => tiles.get(item).before !== undefined);
    expect(there).toEqual([true, false, false, true, true]);
    expect(pictures.map(({ close }) => close.mock.calls.length)).toEqual([0, 1, 1, 0, 0]);
  });

  it("call nobody back who has left", () => {
    const tiles = createTiles();
    const heard = vi.fn();
    const leave = tiles.subscribe(1, heard);
    leave();
    tiles.put(1, false, { picture: null, alpha: 0 });
    expect(heard).not.toHaveBeenCalled();
    expect(tiles.get(1).before).toEqual({ picture: null, alpha: 0 });
  });

  it("free everything at the end", () => {
    const tiles = createTiles();
    const one = picture();
    tiles.put(1, true, { picture: one, alpha: 0 });
    tiles.close();
    expect(one.close).toHaveBeenCalledOnce();
    expect(tiles.get(1)).toEqual({});
  });
});

describe("the newest value", () => {
  it("goes when the one under way is answered; those in between never do", async () => {
    const sent: number[] = [];
    const answers: (() => void)[] = [];
    const send = createNewest((value: number) => {
      sent.push(value);
      return new Promise<void>((resolve) => answers.push(resolve));
    });
    for (const value of [1, 2, 3, 4]) send(value);
    expect(sent).toEqual([1]);
    answers[0]?.();
    await vi.waitFor(() => expect(sent).toEqual([1, 4]));
    answers[1]?.();
    await new Promise((resolve) => setTimeout(resolve));
    send(5);
    expect(sent).toEqual([1, 4, 5]);
  });
});
