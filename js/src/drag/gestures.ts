// Gestures: what press, move and release mean with each tool.
//
// In follow mode the picture follows a point for as long as it is held, and the release is the edit.
// Otherwise:
//
// Points: press on a point and move it; press on free ground and move, which draws a pair from
// handle to target; or click the handle, then click the target. Mask tools: press, paint, release.

import { createGestures, type Gesture, type Gestures, type Press } from "../shared/gestures";
import { isEditable, isRunning } from "../shared/store";
import { clampToImage, distance, isInside, type Point } from "../shared/viewport";
import type { Editor } from "./editor";
import type { MaskTool } from "./mask";
import { hitTest, withPoint } from "./points";
import { follows, isHeld, shownPairs } from "./store";

/** What a tool turns into when it is to take away. */
const ERASING = { brush: "eraser", eraser: "eraser", lasso: "lasso_eraser" } as const;

export function createDragGestures(editor: Editor): Gestures {
  const { session, view } = editor;

  const begin = ({ at, reach, erases }: Press): Gesture | null => {
    const state = session.store.get();
    const { tool } = view.get();
    if (!isEditable(state)) return null;
    if (tool === "points" && follows(state)) return follow(editor, at, reach);
    if (isRunning(state)) return beginWhileRunning(editor, at, reach);
    if (tool !== "points") return paint(editor, erases ? ERASING[tool] : tool, at);
    const hit = hitTest(shownPairs(state), at, reach);
    const { pending } = view.get();
    if (pending !== null) return placeTarget(editor, pending.handle, at);
    view.dispatch({ selected: hit });
    if (hit !== null) return movePoint(editor, at);
    return isInside(at, editor.imageSize()) ? placeHandle(editor, at, reach) : null;
  };

  return createGestures({
    begin,
    cancelled: () => view.dispatch({ pending: null }),
    hover(at) {
      const { pending } = view.get();
      view.dispatch({
        hover: at,
        pending:
          pending && at ? { ...pending, target: clampToImage(at, editor.imageSize()) } : pending,
      });
    },
  });
}

/** An edit's handles and mask are its own while it runs; targets can be moved, with any tool. */
function beginWhileRunning(editor: Editor, at: Point, reach: number): Gesture | null {
  const { session, view } = editor;
  const targets = shownPairs(session.store.get()).map((pair) => ({ ...pair, handle: pair.target }));
  const hit = hitTest(targets, at, reach);
  if (hit === null) {
    session.notify("info", "Targets can be moved now; for all else, stop first.");
    return null;
  }
  view.dispatch({ selected: { index: hit.index, role: "target" }, pending: null });
  return movePoint(editor, at);
}

/** Takes hold of a point, or of what lies where there is none, and leads it. */
function follow(editor: Editor, pressed: Point, reach: number): Gesture | null {
  const { session, view, imageSize } = editor;
  // An edit has begun, and nobody knows yet where it leads the handles.
  if (isRunning(session.store.get()) && session.store.get().frame === null) return null;
  // What the keys held is an edit now.
  session.release();
  const pairs = shownPairs(session.store.get());
  const hit = hitTest(pairs, pressed, reach);
  const { pending } = view.get();
  if (pending !== null && !isRunning(session.store.get())) {
    return placeTarget(editor, pending.handle, pressed);
  }
  if (hit === null && !isInside(pressed, imageSize())) return null;
  const index = hit?.index ?? pairs.length;
  const all = hit === null ? [...pairs, { handle: pressed, target: pressed }] : pairs;
  const [x, y] = (hit && pairs[hit.index]?.[hit.role]) ?? pressed;
  view.dispatch({
    selected: hit,
    pending: hit === null ? { handle: pressed, target: pressed } : null,
  });
  let leads = false;
  return {
    move(at) {
      // Something else was done meanwhile, and has put an end to it.
      if (leads && !isHeld(session.store.get())) return;
      leads ||= distance(at, pressed) > reach / 4;
      if (!leads) return;
      const target = clampToImage([x + at[0] - pressed[0], y + at[1] - pressed[1]], imageSize());
      session.hold(withPoint(all, { index, role: "target" }, target), index);
      view.dispatch({ pending: null, selected: { index, role: "target" } });
    },
    end(released) {
      if (leads && released) session.release();
      else if (leads) session.letGo();
      else if (!released) view.dispatch({ pending: null });
      // Else it was a click: a new handle waits for its target.
    },
    lost() {
      view.dispatch({ pending: null });
      session.letGo();
    },
  };
}

/** Takes hold of the selected point where it was pressed, so that it doesn't jump. */
function movePoint({ session, view, imageSize }: Editor, pressed: Point): Gesture {
  const { selected } = view.get();
  const before = selected && shownPairs(session.store.get())[selected.index]?.[selected.role];
  const [x, y] = before ?? pressed;
  let moved = false;
  const put = (to: Point) => {
    // The others' places may have changed since the press, when an edit runs.
    const pairs = shownPairs(session.store.get());
    if (selected === null || selected.index >= pairs.length) return;
    moved = true;
    session.setPairs(withPoint(pairs, selected, to));
  };
  return {
    move([px, py]) {
      put(clampToImage([x + px - pressed[0], y + py - pressed[1]], imageSize()));
    },
    end(released) {
      if (!released && moved) put([x, y]);
    },
  };
}

/** A press on free ground: a handle, and with a move its target. */
function placeHandle(editor: Editor, handle: Point, reach: number): Gesture {
  const { view, imageSize } = editor;
  let dragged = false;
  view.dispatch({ pending: { handle, target: handle } });
  return {
    move(at) {
      dragged ||= distance(at, handle) > reach / 2;
      if (dragged) view.dispatch({ pending: { handle, target: clampToImage(at, imageSize()) } });
    },
    end(released) {
      const { pending } = view.get();
      if (!released) view.dispatch({ pending: null });
      else if (dragged && pending !== null) addPair(editor, handle, pending.target);
      // Else it was a click: the handle waits for its target.
    },
  };
}

/** The second click, which can be dragged to the right place before it is let go. */
function placeTarget(editor: Editor, handle: Point, pressed: Point): Gesture {
  const { view, imageSize } = editor;
  const follow = (at: Point) =>
    view.dispatch({ pending: { handle, target: clampToImage(at, imageSize()) } });
  follow(pressed);
  return {
    move: follow,
    end(released) {
      const { pending } = view.get();
      if (released && pending !== null) addPair(editor, handle, pending.target);
      else view.dispatch({ pending: null });
    },
  };
}

function addPair({ session, view }: Editor, handle: Point, target: Point): void {
  const pairs = shownPairs(session.store.get());
  session.setPairs([...pairs, { handle, target }]);
  view.dispatch({ pending: null, selected: { index: pairs.length, role: "target" } });
}

function paint({ session, view, radius: brush }: Editor, tool: MaskTool, pressed: Point): Gesture {
  const radius = brush();
  let path: readonly Point[] = [pressed];
  const show = () => session.showStroke({ tool, radius, path });
  view.dispatch({ overlay: true });
  show();
  return {
    move(at) {
      const last = path.at(-1) ?? at;
      // Points closer than half a pixel add nothing but bytes.
      if (distance(at, last) < 0.5) return;
      path = [...path, at];
      show();
    },
    end(released) {
      session.endStroke(released && (path.length > 2 || !tool.startsWith("lasso")));
    },
  };
}
