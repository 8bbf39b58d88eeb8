// The editor: one view's own state (zoom, brush, what is open) and the commands that every widget
// has.
//
// Buttons, keys and menus all run these commands, so they cannot disagree on what is possible. A
// widget adds its tools and commands to them.

import type { BindingGroup } from "./keys";
import type { Session } from "./session";
import {
  canRedo,
  canUndo,
  createStore,
  imageSize,
  isEditable,
  isRunning,
  type Store,
  type WidgetEvent,
  type WidgetState,
} from "./store";
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
} from "./viewport";

export type Panel =
  | null
  | { readonly kind: "help" }
  | { readonly kind: "models" }
  /** The code that the clipboard would not take. */
  | { readonly kind: "code"; readonly code: string }
  /** The context menu of a point, at stage coordinates. */
  | { readonly kind: "menu"; readonly index: number; readonly at: Point };

export interface ViewState {
  readonly tool: string;
  /** Brush radius in image pixels; 0: as large as the widget thinks fit. */
  readonly radius: number;
  /** Null: the whole image, at whatever size the stage has. */
  readonly viewport: Viewport | null;
  readonly stage: Size;
  /** The pointer over the image, in image pixels. */
  readonly hover: Point | null;
  /** The keyboard's crosshair, in image pixels; `down` while it draws. */
  readonly crosshair: { readonly at: Point; readonly down: boolean } | null;
  /** The pointer pans, whatever the tool. */
  readonly panning: boolean;
  readonly comparing: boolean;
  readonly panel: Panel;
}

export const VIEW: Omit<ViewState, "tool"> = {
  radius: 0,
  viewport: null,
  stage: { width: 0, height: 0 },
  hover: null,
  crosshair: null,
  panning: false,
  comparing: false,
  panel: null,
};

/** For a picture that was not sampled, so has no truncation of its own. */
export const TRUNCATION = 0.7;

export interface Command {
  run(): void;
  enabled(): boolean;
}

export type Commands<Name extends string = CommonCommand> = Record<Name, Command>;

export interface Geometry {
  /** The image's size in pixels; 1 x 1 before anything is known. */
  imageSize(): Size;
  /** The brush's radius, in image pixels. */
  radius(): number;
  viewport(): Viewport;
  setViewport(change: (viewport: Viewport, image: Size, stage: Size) => Viewport | null): void;
}

/** What the parts that all widgets share know of an editor; each widget's own has more. */
export interface AnyEditor extends Geometry {
  readonly session: Session<WidgetState, WidgetEvent>;
  readonly view: Store<ViewState, Partial<ViewState>>;
  readonly commands: Commands;
  readonly keys: readonly BindingGroup[];
}

type View<V extends ViewState> = Store<V, Partial<V>>;

export function createView<V extends ViewState>(initial: V): View<V> {
  return createStore<V, Partial<V>>(initial, (state, change) => ({ ...state, ...change }));
}

/** Until the user chooses a radius, it is that share of the image's shorter side. */
export function createGeometry<V extends ViewState>(
  { store }: Session,
  view: View<V>,
  share: number,
): Geometry {
  const size = () => {
    const { snapshot, picture } = store.get();
    if (snapshot !== null) return imageSize(snapshot);
    return picture ?? { width: 1, height: 1 };
  };
  const viewport = () => view.get().viewport ?? fitTo(size(), view.get().stage);
  return {
    imageSize: size,
    viewport,
    radius() {
      const { radius } = view.get();
      return radius > 0 ? radius : Math.max(1, Math.round(shorterSide(size()) * share));
    },
    setViewport(change) {
      const changed: Partial<ViewState> = {
        viewport: change(viewport(), size(), view.get().stage),
      };
      view.dispatch(changed as Partial<V>);
    },
  };
}

export function shorterSide({ width, height }: Size): number {
  return Math.min(width, height);
}

/** Pans so far that the image point is on the stage. */
export function scrollTo({ view, setViewport }: AnyEditor, point: Point): void {
  if (view.get().viewport === null) return;
  setViewport((viewport, image, stage) => {
    const [x, y] = toStage(viewport, point);
    const margin = 24;
    const dx = clamp(x, margin, stage.width - margin) - x;
    const dy = clamp(y, margin, stage.height - margin) - y;
    return dx === 0 && dy === 0 ? viewport : panBy(viewport, [dx, dy], image, stage);
  });
}

/** Makes commands that run only while the session can take them. */
export function commandsFor<S extends WidgetState>({
  store,
}: {
  store: Pick<Store<S, never>, "get">;
}) {
  const when = (test: (state: S) => boolean) => () => {
    const state = store.get();
    return isEditable(state) && test(state);
  };
  return {
    command: (run: () => unknown, enabled: () => boolean): Command => ({
      run: () => void (enabled() && run()),
      enabled,
    }),
    always: () => true,
    when,
    editable: when(() => true),
    idle: when((state) => !isRunning(state)),
  };
}

export type CommonCommand = keyof ReturnType<typeof commonCommands>;

/** The commands of every widget; `begun` is what Escape puts an end to, beside what is open. */
export function commonCommands<V extends ViewState>(
  session: Session,
  own: View<V>,
  geometry: Geometry,
  begun: Partial<V>,
) {
  const { store, ask } = session;
  const view: Store<ViewState, Partial<ViewState>> = own as never;
  const { command, always, when, editable, idle } = commandsFor<WidgetState>(session);
  const zoom = (factor: number) =>
    command(() => {
      geometry.setViewport((viewport, image, stage) =>
        zoomAt(viewport, factor, [stage.width / 2, stage.height / 2], image, stage),
      );
    }, always);
  const grow = (by: number) =>
    command(() => {
      const radius = geometry.radius() * by;
      const rounded = by > 1 ? Math.ceil(radius) : Math.floor(radius);
      const most = shorterSide(geometry.imageSize()) / 2;
      view.dispatch({ radius: clamp(rounded, 1, most) });
    }, always);

  return {
    reset: command(() => ask({ kind: "reset" }), editable),
    undo: command(() => ask({ kind: "undo" }), when(canUndo)),
    redo: command(() => ask({ kind: "redo" }), when(canRedo)),
    newSeed: command(() => {
      const { snapshot } = store.get();
      if (snapshot === null) return;
      const seed = Math.floor(Math.random() * 10_000);
      ask({ kind: "sample", seed, truncation: snapshot.truncation ?? TRUNCATION });
    }, idle),

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
      () => store.get().before !== null,
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
    toBatch: command(
      () => ask({ kind: "to_batch" }),
      when((state) => isRunning(state) || (state.snapshot?.cursor ?? 0) > 0),
    ),
    help: command(() => {
      view.dispatch({ panel: view.get().panel?.kind === "help" ? null : { kind: "help" } });
    }, always),
    /** Leaves whatever is open or begun. */
    escape: command(
      () => own.dispatch({ ...begun, panel: null, crosshair: null, comparing: false }),
      always,
    ),
  };
}

async function copyCode(session: Session, view: AnyEditor["view"]): Promise<void> {
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
