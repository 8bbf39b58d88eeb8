// What the painter's keys do beside running commands: digits choose parts, arrows move them.

import type { OwnKeys } from "../shared/keyboard";
import { arrow } from "../shared/keys";
import { isEditable } from "../shared/store";
import { choosePart, moveOf, type Painter } from "./editor";
import { closeLasso } from "./gestures";
import { shownMap } from "./store";

/** The arrows' moves are sent when the hand rests, as one stroke. */
const REST_MS = 400;

export function ownKeys(painter: Painter): OwnKeys {
  const { view, session } = painter;
  let moving: { dx: number; dy: number } | null = null;
  let rest: ReturnType<typeof setTimeout> | undefined;

  const moveBy = ([x, y]: readonly [number, number]) => {
    const state = session.store.get();
    if (!isEditable(state) || shownMap(state) === null) return;
    moving = { dx: (moving?.dx ?? 0) + x, dy: (moving?.dy ?? 0) + y };
    session.showStroke(moveOf(painter, moving));
    clearTimeout(rest);
    rest = setTimeout(finish, REST_MS);
  };

  const finish = () => {
    if (moving === null) return;
    clearTimeout(rest);
    moving = null;
    session.endStroke(true);
  };

  return {
    anywhere(event) {
      // What comes next finds the parts where they are on the screen.
      finish();
      const part = partOfKey(event);
      if (part === null || part >= session.store.get().parts.length) return false;
      choosePart(painter, part);
      return true;
    },
    onStage(event) {
      const { tool, corners, crosshair } = view.get();
      const way = arrow(event);
      if (tool === "move" && way !== null) {
        moveBy(way);
        return true;
      }
      if (tool !== "lasso" || corners.length === 0 || crosshair !== null) return false;
      if (event.key === "Enter") closeLasso(painter);
      else if (event.key !== "Backspace" && event.key !== "Delete") return false;
      else view.dispatch({ corners: corners.slice(0, -1) });
      return true;
    },
    holds: () => !["fill", "pick", "move"].includes(view.get().tool),
  };
}

/** 1 to 9 and 0 are the first ten parts, with Shift the next; wherever the layout has digits. */
export function partOfKey({
  code,
  shiftKey,
  ctrlKey,
  metaKey,
  altKey,
}: Pick<KeyboardEvent, "code" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">): number | null {
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(code)?.[1];
  if (digit === undefined || ctrlKey || metaKey || altKey) return null;
  return ((Number(digit) + 9) % 10) + (shiftKey ? 10 : 0);
}

/** The key of a part, as the legend and the list of keys write it; "" where there is none left. */
export function keyOfPart(part: number): string {
  if (part >= 20) return "";
  return `${part >= 10 ? "⇧" : ""}${(part + 1) % 10}`;
}
