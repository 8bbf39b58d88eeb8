// What the drag editor's keys do beside running commands: the arrows nudge the selected point.

import { scrollTo } from "../shared/editor";
import type { OwnKeys } from "../shared/keyboard";
import { arrow } from "../shared/keys";
import { isEditable, isRunning } from "../shared/store";
import type { Point } from "../shared/viewport";
import type { Editor } from "./editor";
import { nudged, withPoint } from "./points";
import { type Draft, follows, isHeld, shownPairs } from "./store";

export function ownKeys(editor: Editor): OwnKeys {
  const { view, session } = editor;

  /** What the keys hold, as they left it. */
  let led: Draft | null = null;

  const nudge = (by: Point) => {
    const { store } = session;
    const { selected } = view.get();
    if (selected === null || !isEditable(store.get())) return;
    if (follows(store.get())) return lead(by);
    if (isRunning(store.get()) && selected.role === "handle") return;
    const pairs = nudged(shownPairs(store.get()), selected, by, editor.imageSize());
    session.setPairs(pairs);
    const moved = pairs[selected.index]?.[selected.role];
    if (moved) scrollTo(editor, moved);
  };

  /** What the arrows do in follow mode: they hold the point, and let go when they rest. */
  const lead = (by: Point) => {
    const { selected } = view.get();
    if (selected === null) return;
    const { index, role } = selected;
    if (session.store.get().draft?.held !== index) session.release();
    const { draft } = session.store.get();
    let pairs = shownPairs(session.store.get());
    const from = pairs[index]?.[role];
    if (from === undefined) return;
    // The hand begins where the point is, be it a handle that was led elsewhere before.
    if (!isHeld({ draft })) pairs = withPoint(pairs, { index, role: "target" }, from);
    pairs = nudged(pairs, { index, role: "target" }, by, editor.imageSize());
    session.hold(pairs, index);
    led = session.store.get().draft;
    session.releaseSoon();
    const target = pairs[index]?.target;
    if (target) scrollTo(editor, target);
  };

  return {
    anywhere(event) {
      if (led === null || session.store.get().draft !== led) return false;
      if (event.key === "Escape") session.letGo();
      else if (event.key === "Enter") session.release();
      else return false;
      return true;
    },
    onStage(event, target) {
      if (!target.matches(".nb-point")) return false;
      const way = arrow(event);
      if (way === null || view.get().selected === null) return false;
      nudge(way);
      return true;
    },
    holds: () => view.get().tool !== "points",
  };
}
