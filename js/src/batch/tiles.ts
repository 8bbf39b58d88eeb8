// The tiles' pictures that this page has, for all its views: decoded, and no more than it needs.
//
// What is in sight is kept for sure; beyond that the newest, so that what one scrolls back to is
// there until the kernel has sent it anew.

import type { Picture } from "../shared/pictures";

export interface TilePicture {
  /** Null where it can't be shown. */
  readonly picture: Picture | null;
  /** How much of the edit is in it. */
  readonly alpha: number;
}

export interface Pair {
  readonly before?: TilePicture;
  readonly after?: TilePicture;
}

export interface Tiles {
  get(item: number): Pair;
  put(item: number, after: boolean, tile: TilePicture): void;
  /** Calls back when a picture of the item has come; returns what ends it. */
  subscribe(item: number, callback: () => void): () => void;
  close(): void;
}

const KEPT = 400;
const NOTHING: Pair = {};

export function createTiles(kept = KEPT): Tiles {
  const pairs = new Map<number, Pair>();
  const callbacks = new Map<number, Set<() => void>>();

  const free = ({ before, after }: Pair) => {
    before?.picture?.close();
    after?.picture?.close();
  };

  const makeRoom = () => {
    for (const [item, pair] of pairs) {
      if (pairs.size <= kept) return;
      if (callbacks.has(item)) continue;
      pairs.delete(item);
      free(pair);
    }
  };

  return {
    get: (item) => pairs.get(item) ?? NOTHING,
    put(item, after, tile) {
      const old = pairs.get(item) ?? NOTHING;
      pairs.delete(item);
      pairs.set(item, after ? { ...old, after: tile } : { ...old, before: tile });
      for (const callback of [...(callbacks.get(item) ?? [])]) callback();
      (after ? old.after : old.before)?.picture?.close();
      makeRoom();
    },
    subscribe(item, callback) {
      const some = callbacks.get(item) ?? new Set();
      callbacks.set(item, some.add(callback));
      return () => {
        some.delete(callback);
        if (some.size === 0 && callbacks.get(item) === some) callbacks.delete(item);
      };
    },
    close() {
      for (const pair of pairs.values()) free(pair);
      pairs.clear();
    },
  };
}
