// The drag editor: its tools, what is selected and begun, and its own commands.

import {
  type AnyEditor,
  type Commands,
  type CommonCommand,
  type ViewState as CommonView,
  commandsFor,
  commonCommands,
  createGeometry,
  createView,
  VIEW,
} from "../shared/editor";
import { isRunning, type Store } from "../shared/store";
import type { Point } from "../shared/viewport";
import { KEYS } from "./keys";
import { type PointRef, withoutPair } from "./points";
import type { Session } from "./session";
import { canFollow, type EditorState, follows, shownPairs } from "./store";

export type Tool = "points" | "brush" | "eraser" | "lasso";

export interface ViewState extends CommonView {
  readonly tool: Tool;
  /** Whether the mask is shown. */
  readonly overlay: boolean;
  readonly selected: PointRef | null;
  /** A handle that waits for its target, and where the pointer is meanwhile. */
  readonly pending: { readonly handle: Point; readonly target: Point } | null;
}

const INITIAL: ViewState = {
  ...VIEW,
  tool: "points",
  overlay: true,
  selected: null,
  pending: null,
};

/** The brush's radius, until one is chosen, as a share of the image's shorter side. */
const BRUSH = 1 / 16;

export type CommandName = CommonCommand | keyof ReturnType<typeof ownCommands>;

export interface Editor extends AnyEditor {
  readonly session: Session;
  readonly view: Store<ViewState, Partial<ViewState>>;
  readonly commands: Commands<CommandName>;
}

export function createEditor(session: Session): Editor {
  const view = createView(INITIAL);
  const geometry = createGeometry(session, view, BRUSH);
  const commands = {
    ...commonCommands(session, view, geometry, { pending: null }),
    ...ownCommands(session, view),
  };
  return { session, view, ...geometry, commands, keys: KEYS };
}

/** Forgets what was of the picture before: another generator's may have another size. */
export function startAfresh({ view }: Editor): void {
  const { viewport, radius, selected, pending, hover, crosshair, comparing } = INITIAL;
  view.dispatch({ viewport, radius, selected, pending, hover, crosshair, comparing });
}

function ownCommands(session: Session, view: Editor["view"]) {
  const { store, ask } = session;
  const { command, always, when, editable } = commandsFor<EditorState>(session);
  const pick = (tool: Tool) =>
    command(() => view.dispatch({ tool, pending: null, crosshair: null }), always);

  return {
    points: pick("points"),
    brush: pick("brush"),
    eraser: pick("eraser"),
    lasso: pick("lasso"),

    startStop: command(() => {
      ask({ kind: store.get().snapshot?.running ? "stop" : "start" });
    }, editable),

    deletePair: command(
      () => {
        const { selected } = view.get();
        const pairs = shownPairs(store.get());
        if (selected === null || selected.index >= pairs.length) return;
        session.setPairs(withoutPair(pairs, selected.index));
        view.dispatch({ selected: null, panel: null });
      },
      when((state) => !isRunning(state) && view.get().selected !== null),
    ),
    clearPoints: command(
      () => {
        session.setPairs([]);
        view.dispatch({ selected: null, pending: null, panel: null });
      },
      when((state) => !isRunning(state) && shownPairs(state).length > 0),
    ),

    invertMask: command(
      () => ask({ kind: "edit_mask", op: "invert" }),
      when((state) => !isRunning(state) && state.mask !== null),
    ),
    clearMask: command(
      () => ask({ kind: "edit_mask", op: "clear" }),
      when((state) => !isRunning(state) && state.mask !== null),
    ),
    toggleFollow: command(
      () => ask({ kind: "set_follow", follow: !follows(store.get()) }),
      when((state) => canFollow(state) || follows(state)),
    ),
    toggleOverlay: command(() => view.dispatch({ overlay: !view.get().overlay }), always),
  };
}
