// Gestures: press, move and release, whatever the tool makes of them.
//
// Mouse, pen, finger and the keyboard's crosshair all come through here, as image coordinates.

import type { Point } from "./viewport";

export interface Press {
  /** Image pixels. */
  readonly at: Point;
  /** How far from a point's centre it can be taken hold of, in image pixels. */
  readonly reach: number;
  /** A pen turned around, or a button that erases. */
  readonly erases?: boolean;
  /** With Alt: it takes what lies there, and changes nothing. */
  readonly picks?: boolean;
  /** With Shift: it adds to what was chosen before. */
  readonly adds?: boolean;
}

export interface Gesture {
  move(at: Point): void;
  /** Ends it: `true` for a release, `false` when it was taken away (a second finger, Escape). */
  end(released: boolean): void;
  /** The pointer is gone, and nobody knows where to. Without this, that is a release. */
  lost?(): void;
}

export interface Gestures {
  press(press: Press): void;
  move(at: Point): void;
  release(): void;
  lose(): void;
  cancel(): void;
  /** The pointer moves with no button down. */
  hover(at: Point | null): void;
  readonly active: boolean;
}

export interface Tools {
  /** What a press begins with the present tool, if anything. */
  begin(press: Press): Gesture | null;
  /** Everything was taken back, what is between two gestures too. */
  cancelled(): void;
  hover(at: Point | null): void;
}

/** One gesture at a time: a press ends what was under way. */
export function createGestures({ begin, cancelled, hover }: Tools): Gestures {
  let gesture: Gesture | null = null;

  const end = (released: boolean) => {
    const ended = gesture;
    gesture = null;
    ended?.end(released);
  };

  return {
    press(press) {
      end(false);
      gesture = begin(press);
    },
    move: (at) => gesture?.move(at),
    release: () => end(true),
    lose() {
      const lost = gesture;
      if (lost?.lost === undefined) return end(true);
      gesture = null;
      lost.lost();
    },
    cancel() {
      end(false);
      cancelled();
    },
    hover,
    get active() {
      return gesture !== null;
    },
  };
}
