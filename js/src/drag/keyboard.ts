// What the drag editor's keys do beside running commands: the arrows nudge the selected point.

import { scrollTo } from "../shared/editor";
import type { OwnKeys } from "../shared/keyboard";
import { arrow } from "../shared/keys";
import { isEditable, isRunning } from "../shared/store";
import type { Point } from "../shared/viewport";
import type { Editor } from "./editor";
import { nudged } from "./points";
import { shownPairs } from "./store";

export function ownKeys(editor: Editor): OwnKeys {
  const { view, session } = editor;

  const nudge = (by: Point) => {
    const { store } = session;
    const { selected } = view.get();
    if (selected === null || !isEditable(store.get())) return;
    if (isRunning(store.get()) && selected.role === "handle") return;
    const pairs = nudged(shownPairs(store.get()), selected, by, editor.imageSize());
    session.setPairs(pairs);
    const moved = pairs[selected.index]?.[selected.role];
    if (moved) scrollTo(editor, moved);
  };

  return {
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
