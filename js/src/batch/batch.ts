// The batch as one view shows it: which tile the keyboard is at, what is open; and the commands.
//
// Buttons and keys run these commands, so they cannot disagree on what is possible.

import type { Store } from "../shared/store";
import { type Command, type Commands, createStoreOf } from "./commands";
import type { ExportFormat, SortKey } from "./protocol.gen";
import type { Session } from "./session";
import {
  alphaOf,
  type BatchState,
  isEditable,
  isIncluded,
  isOwn,
  running,
  shownStrength,
} from "./store";

export type Panel = null | "help" | "export";

export interface ViewState {
  /** The picture that the keyboard is at; null: none yet. */
  readonly active: number | null;
  /** Where a range begins. */
  readonly anchor: number | null;
  readonly comparing: boolean;
  readonly panel: Panel;
  readonly format: ExportFormat;
  /** Whether to go on with a folder that was begun. */
  readonly resume: boolean;
}

const INITIAL: ViewState = {
  active: null,
  anchor: null,
  comparing: false,
  panel: null,
  format: "zip",
  resume: false,
};

export const SORTS: readonly SortKey[] = ["source", "strength", "distance"];
export const SORT_NAMES: Record<SortKey, string> = {
  source: "as they came",
  strength: "by strength",
  distance: "by distance",
};

/** By which keys move the slider. */
const STEP = 0.05;

export type CommandName = keyof ReturnType<typeof createCommands>;

export interface Batch {
  /** A number of its own, among all views of all pages. */
  readonly id: number;
  readonly session: Session;
  readonly view: Store<ViewState, Partial<ViewState>>;
  readonly commands: Commands<CommandName>;
}

export function createBatch(session: Session): Batch {
  const view = createStoreOf(INITIAL);
  const id = Math.floor(Math.random() * 2 ** 40);
  return { id, session, view, commands: createCommands(session, view) };
}

/** Where a picture stands; -1, if it doesn't. */
export function placeOf({ order }: BatchState, item: number | null): number {
  return item === null ? -1 : order.indexOf(item);
}

/** Takes a picture in or leaves it out; with `range` all from the anchor on. */
export function toggle({ session, view }: Batch, item: number, range = false): void {
  const state = session.store.get();
  if (!isEditable(state)) return;
  const included = !isIncluded(state, item);
  const from = range ? placeOf(state, view.get().anchor) : -1;
  const to = placeOf(state, item);
  const items =
    from < 0 ? [item] : [...state.order.subarray(Math.min(from, to), Math.max(from, to) + 1)];
  view.dispatch({ active: item, anchor: item });
  void session.ask({ kind: "include", items, included });
}

/** How far strengths of their own can be set, either way. */
export function reach(state: BatchState): number {
  const { offsets, overrides, snapshot } = state;
  const alpha = snapshot?.alpha ?? 0;
  let most = Math.abs(alpha);
  for (const offset of offsets) most = Math.max(most, Math.abs(offset + alpha));
  for (const own of overrides.values()) most = Math.max(most, Math.abs(own));
  return most * 1.5;
}

/** Moves the slider to a strength that can be shown. */
export function slideTo({ session }: Pick<Batch, "session">, strength: number, moving: boolean) {
  const { snapshot } = session.store.get();
  if (snapshot === null) return;
  const rounded = Math.round(strength * 100) / 100;
  session.slide(Math.min(snapshot.high, Math.max(snapshot.low, rounded)), moving);
}

/** Where on the slider all are as neutral as the average picture, from 0 to 1; null beyond it. */
export function neutralShare({ snapshot }: BatchState): number | null {
  if (snapshot === null || snapshot.neutral === null) return null;
  const share = (snapshot.neutral - snapshot.low) / (snapshot.high - snapshot.low);
  return share >= 0 && share <= 1 ? share : null;
}

function createCommands(session: Session, view: Batch["view"]) {
  const { store, ask } = session;
  const when = (test: (state: BatchState) => boolean) => () => {
    const state = store.get();
    return isEditable(state) && test(state);
  };
  const editable = when(() => true);
  const always = () => true;
  const command = (run: () => unknown, enabled: () => boolean): Command => ({
    run: () => void (enabled() && run()),
    enabled,
  });
  const slideBy = (by: number) =>
    command(() => slideTo({ session }, shownStrength(store.get()) + by, false), editable);
  const active = () => view.get().active;
  const override = (by: number) =>
    command(
      () => {
        const item = active();
        if (item === null) return;
        const state = store.get();
        const alpha = alphaOf(state, item) + (by * reach(state)) / 30;
        session.override(item, alpha, false);
      },
      when(() => active() !== null),
    );
  const include = (which: "all" | "none" | "others") =>
    command(() => ask({ kind: "include_all", which }), editable);
  const open = (panel: "help" | "export") => () =>
    view.dispatch({ panel: view.get().panel === panel ? null : panel });
  const offered = ({ snapshot }: BatchState) => snapshot?.written != null;

  return {
    weaker: slideBy(-STEP),
    stronger: slideBy(STEP),
    learnt: command(() => slideTo({ session }, 1, false), editable),
    /** To where all are as neutral as the average picture, if the slider goes there. */
    neutral: command(
      () => slideTo({ session }, store.get().snapshot?.neutral ?? 1, false),
      when((state) => neutralShare(state) !== null),
    ),
    less: override(-1),
    more: override(1),
    automatic: command(
      () => {
        const item = active();
        if (item !== null) session.override(item, null, false);
      },
      when((state) => active() !== null && isOwn(state, active() ?? 0)),
    ),
    allAutomatic: command(
      () => ask({ kind: "reset_alphas" }),
      when(({ overrides }) => overrides.size > 0),
    ),
    all: include("all"),
    none: include("none"),
    others: include("others"),
    sort: command(() => {
      const by = store.get().snapshot?.by ?? "source";
      const next = SORTS[(SORTS.indexOf(by) + 1) % SORTS.length];
      if (next) ask({ kind: "sort", by: next });
    }, editable),
    compare: command(() => view.dispatch({ comparing: !view.get().comparing }), always),
    export: command(
      open("export"),
      when((state) => running(state) === null),
    ),
    download: command(
      session.download,
      when((state) => offered(state) && running(state) === null),
    ),
    stop: command(
      () => (store.get().fetching ? session.stopDownload() : ask({ kind: "stop" })),
      when((state) => running(state) !== null),
    ),
    help: command(open("help"), always),
    /** Leaves whatever is open. */
    escape: command(() => view.dispatch({ panel: null, comparing: false }), always),
  };
}
