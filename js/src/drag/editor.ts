// The editor: one view's own state (tool, zoom, selection) and every command a user can give.
//
// Buttons, keys and menus all run these commands, so they cannot disagree on what is possible.

import {
  actualSize,
  clamp,
  fitTo,
  type Point,
  panBy,
  type Size,
  toStage,
  type Viewport,
  zoomAt,
} from "../shared/viewport";
import { type PointRef, withoutPair } from "./points";
import type { Session } from "./session";
import {
  createStore,
  type EditorState,
  imageSize,
  isEditable,
  isRunning,
  type Store,
  shownPairs,
} from "./store";

export type Tool = "points" | "brush" | "eraser" | "lasso";

export type Panel =
  | null
  | { readonly kind: "help" }
  | { readonly kind: "models" }
  /** The code that the clipboard would not take. */
  | { readonly kind: "code"; readonly code: string }
  /** The context menu of a point, at stage coordinates. */
  | { readonly kind: "menu"; readonly index: number; readonly at: Point };

export interface ViewState {
  readonly tool: Tool;
  /** Brush radius in image pixels. */
  readonly radius: number;
  readonly overlay: boolean;
  /** Null: the whole image, at whatever size the stage has. */
  readonly viewport: Viewport | null;
  readonly stage: Size;
  readonly selected: PointRef | null;
  /** A handle that waits for its target, and where the pointer is meanwhile. */
  readonly pending: { readonly handle: Point; readonly target: Point } | null;
  /** The pointer over the image, in image pixels. */
  readonly hover: Point | null;
  /** The keyboard's crosshair, in image pixels; `down` while it draws. */
  readonly crosshair: { readonly at: Point; readonly down: boolean } | null;
  readonly comparing: boolean;
  readonly panel: Panel;
}

const INITIAL: ViewState = {
  tool: "points",
  radius: 0,
  overlay: true,
  viewport: null,
  stage: { width: 0, height: 0 },
  selected: null,
  pending: null,
  hover: null,
  crosshair: null,
  comparing: false,
  panel: null,
};

/** For a picture that was not sampled, so has no truncation of its own. */
export const TRUNCATION = 0.7;

export interface Command {
  run(): void;
  enabled(): boolean;
}

export type CommandName = keyof ReturnType<typeof createCommands>;

export interface Editor {
  readonly session: Session;
  readonly view: Store<ViewState, Partial<ViewState>>;
  readonly commands: Record<CommandName, Command>;
  /** The image's size in pixels; 1 x 1 before anything is known. */
  imageSize(): Size;
  viewport(): Viewport;
  setViewport(change: (viewport: Viewport, image: Size, stage: Size) => Viewport | null): void;
}

export function createEditor(session: Session): Editor {
  const view = createStore<ViewState, Partial<ViewState>>(INITIAL, (state, change) => ({
    ...state,
    ...change,
  }));
  const size = () => {
    const { snapshot, picture } = session.store.get();
    if (snapshot !== null) return imageSize(snapshot);
    return picture ?? { width: 1, height: 1 };
  };
  const geometry = {
    imageSize: size,
    viewport: () => view.get().viewport ?? fitTo(size(), view.get().stage),
    setViewport: (change: (v: Viewport, image: Size, stage: Size) => Viewport | null) =>
      view.dispatch({ viewport: change(geometry.viewport(), size(), view.get().stage) }),
  };
  return { session, view, ...geometry, commands: createCommands(session, view, geometry) };
}

/** Forgets what was of the picture before: another generator's may have another size. */
export function startAfresh({ view }: Editor): void {
  const { viewport, radius, selected, pending, hover, crosshair, comparing } = INITIAL;
  view.dispatch({ viewport, radius, selected, pending, hover, crosshair, comparing });
}

/** The brush's radius; until the user chooses one, a sixteenth of the image's shorter side. */
export function brushRadius({ radius }: ViewState, image: Size): number {
  return radius > 0 ? radius : Math.max(1, Math.round(shorterSide(image) / 16));
}

export function shorterSide({ width, height }: Size): number {
  return Math.min(width, height);
}

/** Pans so far that the image point is on the stage. */
export function scrollTo(editor: Editor, point: Point): void {
  if (editor.view.get().viewport === null) return;
  editor.setViewport((viewport, image, stage) => {
    const [x, y] = toStage(viewport, point);
    const margin = 24;
    const dx = clamp(x, margin, stage.width - margin) - x;
    const dy = clamp(y, margin, stage.height - margin) - y;
    return dx === 0 && dy === 0 ? viewport : panBy(viewport, [dx, dy], image, stage);
  });
}

function createCommands(
  session: Session,
  view: Store<ViewState, Partial<ViewState>>,
  geometry: Pick<Editor, "imageSize" | "viewport" | "setViewport">,
) {
  const { store, ask } = session;
  const always = () => true;
  const when = (test: (state: EditorState) => boolean) => () => {
    const state = store.get();
    return isEditable(state) && test(state);
  };
  const editable = when(() => true);
  const idle = when((state) => !isRunning(state));
  const command = (run: () => unknown, enabled: () => boolean): Command => ({
    run: () => void (enabled() && run()),
    enabled,
  });
  const pick = (tool: Tool) =>
    command(() => view.dispatch({ tool, pending: null, crosshair: null }), always);
  const zoom = (factor: number) =>
    command(() => {
      geometry.setViewport((viewport, image, stage) =>
        zoomAt(viewport, factor, [stage.width / 2, stage.height / 2], image, stage),
      );
    }, always);
  const grow = (by: number) =>
    command(() => {
      const image = geometry.imageSize();
      const radius = brushRadius(view.get(), image) * by;
      const rounded = by > 1 ? Math.ceil(radius) : Math.floor(radius);
      view.dispatch({ radius: clamp(rounded, 1, shorterSide(image) / 2) });
    }, always);

  return {
    points: pick("points"),
    brush: pick("brush"),
    eraser: pick("eraser"),
    lasso: pick("lasso"),

    startStop: command(() => {
      ask({ kind: store.get().snapshot?.running ? "stop" : "start" });
    }, editable),
    reset: command(() => ask({ kind: "reset" }), editable),
    undo: command(
      () => ask({ kind: "undo" }),
      when(({ snapshot }) => (snapshot?.cursor ?? 0) > 0),
    ),
    redo: command(
      () => ask({ kind: "redo" }),
      when(({ snapshot }) => snapshot !== null && snapshot.cursor < snapshot.history.length - 1),
    ),
    newSeed: command(() => {
      const { snapshot } = store.get();
      if (snapshot === null) return;
      const seed = Math.floor(Math.random() * 10_000);
      ask({ kind: "sample", seed, truncation: snapshot.truncation ?? TRUNCATION });
    }, idle),

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
    toggleOverlay: command(() => view.dispatch({ overlay: !view.get().overlay }), always),
    smaller: grow(1 / 1.2),
    larger: grow(1.2),

    fit: command(() => view.dispatch({ viewport: null }), always),
    actualSize: command(
      () => geometry.setViewport((_, image, stage) => actualSize(image, stage)),
      always,
    ),
    zoomIn: zoom(1.25),
    zoomOut: zoom(1 / 1.25),
    toggleCompare: command(
      () => view.dispatch({ comparing: !view.get().comparing }),
      () => {
        return store.get().before !== null;
      },
    ),

    models: command(() => {
      view.dispatch({ panel: view.get().panel?.kind === "models" ? null : { kind: "models" } });
    }, editable),
    stopLoading: command(session.stopLoading, editable),
    goBack: command(
      () => ask({ kind: "go_back" }),
      when(({ snapshot }) => snapshot?.previous !== null),
    ),

    copyCode: command(() => copyCode(session, view), editable),
    savePng: command(() => savePng(session), editable),
    help: command(() => {
      view.dispatch({ panel: view.get().panel?.kind === "help" ? null : { kind: "help" } });
    }, always),
    /** Leaves whatever is open or begun. */
    escape: command(
      () => view.dispatch({ panel: null, pending: null, crosshair: null, comparing: false }),
      always,
    ),
  };
}

async function copyCode(session: Session, view: Editor["view"]): Promise<void> {
  const answer = await session.ask({ kind: "get_code" });
  const code = answer?.reply.code;
  if (!code) return;
  try {
    await navigator.clipboard.writeText(code);
    session.notify("info", "Copied as Python.");
  } catch {
    // No permission, or no clipboard in this frame: show the code instead, selected.
    view.dispatch({ panel: { kind: "code", code } });
  }
}

async function savePng(session: Session): Promise<void> {
  const answer = await session.ask({ kind: "get_png" });
  const bytes = answer?.buffers[0];
  if (!answer || !bytes) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(
    new Blob([bytes as Uint8Array<ArrayBuffer>], { type: "image/png" }),
  );
  link.download = answer.reply.filename ?? "picture.png";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  session.notify("info", `Saved ${link.download}.`);
}
