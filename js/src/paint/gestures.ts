// Gestures: what press, move and release mean with each of the painter's tools.
//
// Brush and eraser follow the hand. The line goes straight from press to release. The lasso is drawn
// in one go, or clicked together corner by corner. Fill and pick are done with the press. The move
// tool takes hold of a part, or of the box around it, which scales it.

import { createGestures, type Gesture, type Gestures, type Press } from "../shared/gestures";
import { isEditable, isRunning } from "../shared/store";
import { clamp, distance, type Point } from "../shared/viewport";
import { choosePart, movedParts, moveOf, type Painter } from "./editor";
import { type Box, boxOf, type PaintStroke, type PartMap, partAt } from "./labels";
import { type PainterState, shownMap } from "./store";

/** Parts can be scaled that far at a time. */
const LEAST_SCALE = 0.1;
const MOST_SCALE = 10;

export function createPaintGestures(painter: Painter): Gestures {
  const { session, view } = painter;

  const begin = (press: Press): Gesture | null => {
    const state = session.store.get();
    const { tool } = view.get();
    const map = shownMap(state);
    if (!isEditable(state)) return null;
    if (map === null) {
      session.notify("info", "There is no part map to paint on yet.");
      return null;
    }
    if (press.picks || tool === "pick") return pick(painter, map, press.at);
    if (isRunning(state) && !follows(state)) {
      session.notify("info", "An edit is running: stop it before you paint.");
      return null;
    }
    switch (tool) {
      case "brush":
      case "eraser":
        return followHand(painter, press);
      case "line":
        return drawLine(painter, press);
      case "lasso":
        return drawLasso(painter, press);
      case "fill":
        return fill(painter, press.at);
      case "move":
        return takeHold(painter, map, press);
    }
  };

  return createGestures({
    begin,
    cancelled: () => view.dispatch({ corners: [] }),
    hover: (hover) => view.dispatch({ hover }),
  });
}

/** Whether what runs goes on from new strokes. */
function follows({ snapshot }: PainterState): boolean {
  return snapshot?.live === true && snapshot.method === "paint";
}

/** Takes the part at a point for the one to paint. */
export function pick(painter: Painter, map: PartMap, at: Point): null {
  const part = partAt(map, at);
  if (part !== null) choosePart(painter, part);
  return null;
}

/** Closes the outline that was clicked together, and paints what it surrounds. */
export function closeLasso(painter: Painter, erases = false): void {
  const { session, view } = painter;
  const { corners } = view.get();
  view.dispatch({ corners: [] });
  if (corners.length < 3) return;
  session.showStroke(stroke(painter, erases ? "lasso_eraser" : "lasso", corners));
  session.endStroke(true);
}

function stroke(
  { view, radius }: Painter,
  tool: PaintStroke["tool"],
  path: readonly Point[],
): PaintStroke {
  const { part, mirror } = view.get();
  const erases = tool === "eraser" || tool === "lasso_eraser";
  return {
    kind: "paint_labels",
    tool,
    part: erases ? null : part,
    radius: radius(),
    path,
    mirror,
  };
}

function followHand(painter: Painter, { at: pressed, erases }: Press): Gesture {
  const { session, view } = painter;
  const tool = erases || view.get().tool === "eraser" ? "eraser" : "brush";
  let path: readonly Point[] = [pressed];
  const show = () => session.showStroke(stroke(painter, tool, path));
  show();
  return {
    move(at) {
      // Points closer than half a pixel add nothing but bytes.
      if (distance(at, path.at(-1) ?? at) < 0.5) return;
      path = [...path, at];
      show();
    },
    end: session.endStroke,
  };
}

function drawLine(painter: Painter, { at: pressed, erases }: Press): Gesture {
  const { session } = painter;
  const show = (at: Point) =>
    session.showStroke(stroke(painter, erases ? "eraser" : "brush", [pressed, at]));
  show(pressed);
  return { move: show, end: session.endStroke };
}

/** Drawn in one go; or a click, which is the first corner, or the next, or closes the outline. */
function drawLasso(painter: Painter, { at: pressed, reach, erases }: Press): Gesture | null {
  const { session, view } = painter;
  const tool = erases ? "lasso_eraser" : "lasso";
  const { corners } = view.get();
  const [first] = corners;
  const last = corners.at(-1);
  const closes = (at: Point | undefined) => at !== undefined && distance(at, pressed) <= reach;
  if (corners.length > 2 && (closes(first) || closes(last))) {
    closeLasso(painter, erases);
    return null;
  }
  let path: readonly Point[] = [pressed];
  let drawn = false;
  return {
    move(at) {
      if (distance(at, path.at(-1) ?? at) < 0.5) return;
      path = [...path, at];
      drawn ||= distance(at, pressed) > reach / 2;
      if (!drawn) return;
      if (corners.length > 0) view.dispatch({ corners: [...corners, at] });
      else session.showStroke(stroke(painter, tool, path));
    },
    end(released) {
      if (drawn && corners.length === 0) session.endStroke(released && path.length > 2);
      else if (!released) view.dispatch({ corners });
      else if (!drawn) view.dispatch({ corners: [...corners, pressed] });
    },
  };
}

function fill(painter: Painter, at: Point): null {
  const { session } = painter;
  session.showStroke(stroke(painter, "fill", [at]));
  session.endStroke(true);
  return null;
}

/** By the box around the chosen parts, to scale them; or by a part, which is chosen then. */
function takeHold(painter: Painter, map: PartMap, { at, reach, adds }: Press): Gesture | null {
  const { view } = painter;
  const parts = movedParts(view.get());
  const part = partAt(map, at);
  const chosen = part !== null && parts.includes(part);
  const box = boxOf(map, parts);
  // On the part itself, one rather wants to move it.
  const grip = box && gripAt(box, at, chosen ? reach / 2 : reach);
  if (box !== null && grip !== null) return scaleParts(painter, box, grip, at);
  if (part === null) return null;
  if (!chosen || adds) choosePart(painter, part, adds);
  return moveParts(painter, at);
}

function moveParts(painter: Painter, [x, y]: Point): Gesture {
  const { session } = painter;
  let moved = false;
  return {
    move([toX, toY]) {
      // By whole pixels: a part keeps its shape.
      const [dx, dy] = [Math.round(toX - x), Math.round(toY - y)];
      moved = dx !== 0 || dy !== 0;
      session.showStroke(moveOf(painter, { dx, dy }));
    },
    end: (released) => session.endStroke(released && moved),
  };
}

/** A place on a box to take hold of: -1, 0 or 1 along each axis, from its centre. */
export type Grip = Point;

export const GRIPS: readonly Grip[] = [
  [-1, -1],
  [0, -1],
  [1, -1],
  [1, 0],
  [1, 1],
  [0, 1],
  [-1, 1],
  [-1, 0],
];

export function placeOf({ left, top, right, bottom }: Box, [x, y]: Grip): Point {
  return [(left + right + x * (right - left)) / 2, (top + bottom + y * (bottom - top)) / 2];
}

/** The nearest grip within reach, unless the middle is nearer: that is there to move it. */
function gripAt(box: Box, at: Point, reach: number): Grip | null {
  const away = (grip: Grip) => distance(placeOf(box, grip), at);
  const nearest = GRIPS.reduce((best, grip) => (away(grip) < away(best) ? grip : best));
  return away(nearest) <= reach && away(nearest) < away([0, 0]) ? nearest : null;
}

/** At a corner in proportion, at a side along one axis; about the centre. */
function scaleParts(painter: Painter, box: Box, [gx, gy]: Grip, pressed: Point): Gesture {
  const { session } = painter;
  const centre = placeOf(box, [0, 0]);
  let scaled = false;
  const ratio = (to: number, from: number, middle: number) =>
    clamp((to - middle) / (from - middle || 1), LEAST_SCALE, MOST_SCALE);
  return {
    move(at) {
      const both = clamp(
        distance(at, centre) / Math.max(distance(pressed, centre), 0.5),
        LEAST_SCALE,
        MOST_SCALE,
      );
      const corner = gx !== 0 && gy !== 0;
      const scale_x = corner ? both : gx === 0 ? 1 : ratio(at[0], pressed[0], centre[0]);
      const scale_y = corner ? both : gy === 0 ? 1 : ratio(at[1], pressed[1], centre[1]);
      scaled = scale_x !== 1 || scale_y !== 1;
      session.showStroke(moveOf(painter, { scale_x, scale_y }));
    },
    end: (released) => session.endStroke(released && scaled),
  };
}
