// The painter: its tools, the part it paints, how the map is shown, and its own commands.

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
import { boxOf, type MoveStroke } from "./labels";
import type { Session } from "./session";
import { isPaintable, type PainterState, shownMap, shownScales } from "./store";

export type Tool = "brush" | "eraser" | "lasso" | "fill" | "line" | "pick" | "move";

export interface ViewState extends CommonView {
  readonly tool: Tool;
  /** The tool to go back to when a part has been picked. */
  readonly before: Tool;
  /** What is painted. */
  readonly part: number;
  /** What is moved along with it. */
  readonly along: readonly number[];
  /** Whether strokes are done on the other side, too. */
  readonly mirror: boolean;
  /** Whether the map lies over the picture, instead of beside it. */
  readonly over: boolean;
  /** The map's opacity there, 0 to 1. */
  readonly opacity: number;
  /** Parts whose colour is not shown. */
  readonly hidden: ReadonlySet<number>;
  /** The corners of an outline that is clicked together. */
  readonly corners: readonly Point[];
  /** Whether a new vector is being given its name. */
  readonly naming: boolean;
}

const INITIAL: ViewState = {
  ...VIEW,
  tool: "brush",
  before: "brush",
  // The first is what is behind everything.
  part: 1,
  along: [],
  mirror: false,
  over: false,
  opacity: 0.6,
  hidden: new Set(),
  corners: [],
  naming: false,
};

/** The brush's radius, until one is chosen, as a share of the image's shorter side. */
const BRUSH = 1 / 32;

export type CommandName = CommonCommand | keyof ReturnType<typeof ownCommands>;

export interface Painter extends AnyEditor {
  readonly session: Session;
  readonly view: Store<ViewState, Partial<ViewState>>;
  readonly commands: Commands<CommandName>;
}

type Chosen = Pick<Painter, "session" | "view">;

export function createPainter(session: Session): Painter {
  const view = createView(INITIAL);
  const geometry = createGeometry(session, view, BRUSH);
  const begun = { corners: [], naming: false };
  const commands = {
    ...commonCommands(session, view, geometry, begun),
    ...ownCommands(session, view),
  };
  return { session, view, ...geometry, commands, keys: KEYS };
}

/** Forgets what was of the picture before: another generator's may have other parts. */
export function startAfresh({ view }: Painter): void {
  const { viewport, radius, hover, crosshair, comparing } = INITIAL;
  const { part, along, corners, hidden, naming } = INITIAL;
  const seen = { viewport, radius, hover, crosshair, comparing };
  view.dispatch({ ...seen, part, along, corners, hidden, naming });
}

/** Chooses the part to paint; a part that is chosen is one that is seen. */
export function choosePart({ session, view }: Chosen, part: number, addsTo = false): void {
  if (part >= session.store.get().parts.length) return;
  const { part: old, along, hidden, tool, before } = view.get();
  const shown = new Set(hidden);
  shown.delete(part);
  const among = [old, ...along].filter((one) => one !== part);
  view.dispatch({
    part,
    along: addsTo ? among : [],
    hidden: shown,
    // Having a part, one wants to paint it.
    tool: tool === "pick" ? before : tool === "eraser" ? "brush" : tool,
  });
}

/** The parts that the move tool takes hold of. */
export function movedParts({ part, along }: ViewState): number[] {
  return [part, ...along];
}

/** A move of the chosen parts, and with `mirror` of those of the other side. */
export function moveOf({ view }: Pick<Painter, "view">, by: Partial<MoveStroke>): MoveStroke {
  const { mirror } = view.get();
  const still = { dx: 0, dy: 0, scale_x: 1, scale_y: 1 };
  return { kind: "move_part", parts: movedParts(view.get()), ...still, mirror, ...by };
}

function ownCommands(session: Session, view: Painter["view"]) {
  const { store, ask } = session;
  const { command, always, when, editable, idle } = commandsFor<PainterState>(session);
  const paintable = when(isPaintable);
  const pick = (tool: Tool) =>
    command(() => {
      const { tool: before } = view.get();
      const own = { corners: [], crosshair: null };
      view.dispatch({ tool, before: before === "pick" ? view.get().before : before, ...own });
    }, always);
  const scale = (by: number) =>
    command(
      () => {
        const map = shownMap(store.get());
        if (map === null || boxOf(map, movedParts(view.get())) === null) return;
        session.showStroke(moveOf({ view }, { scale_x: by, scale_y: by }));
        session.endStroke(true);
      },
      when((state) => isPaintable(state) && view.get().tool === "move"),
    );

  return {
    brush: pick("brush"),
    eraser: pick("eraser"),
    lasso: pick("lasso"),
    fill: pick("fill"),
    line: pick("line"),
    pick: pick("pick"),
    move: pick("move"),
    mirror: command(() => view.dispatch({ mirror: !view.get().mirror }), always),
    grow: scale(1.1),
    shrink: scale(1 / 1.1),

    over: command(() => view.dispatch({ over: !view.get().over }), always),
    restore: command(() => ask({ kind: "edit_labels", op: "restore" }), paintable),

    startStop: command(() => {
      ask({ kind: store.get().snapshot?.running ? "stop" : "start_paint" });
    }, editable),
    live: command(() => {
      ask({ kind: "set_live", live: !store.get().snapshot?.live });
    }, editable),

    refine: command(
      () => ask({ kind: "start_refine" }),
      when((state) => !isRunning(state) && isSlid(state)),
    ),
    slideBack: command(session.slideBack, when(isSlid)),
    learn: command(
      () => view.dispatch({ naming: !view.get().naming }),
      when((state) => idle() && (state.snapshot?.cursor ?? 0) > 0),
    ),
  };
}

/** Whether a slider is off 0. */
function isSlid(state: PainterState): boolean {
  return Object.values(shownScales(state)).some((scale) => scale !== 0);
}
