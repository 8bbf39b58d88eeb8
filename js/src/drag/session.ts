// The drag editor's session: points and mask strokes, beside what every widget's session does.

import type { FromKernel, Mask as MaskMessage } from "../shared/protocol.gen";
import { debounce, throttle } from "../shared/rhythm";
import {
  openSession as openWidget,
  thinned,
  type Session as WidgetSession,
} from "../shared/session";
import { createStore, isRunning } from "../shared/store";
import type { Model } from "../shared/wire";
import { type Mask, type Stroke, unpackMask } from "./mask";
import { type Pair, toRows } from "./points";
import { type Draft, type EditorState, EMPTY, type Event, isHeld, reduce } from "./store";

/** At most 30 messages a second to the kernel while a point is dragged. */
const DRAG_INTERVAL_MS = 34;

/** Of the time that an answer takes, so much is waited before the next place is told. */
const AHEAD = 2 / 3;

/** New targets end a running edit and begin the next, so they are sent once the hand rests. */
const RETARGET_AFTER_MS = 200;

/** Arrow keys that follow each other more closely than this are one gesture. */
const BURST_MS = 600;

export interface Session extends WidgetSession<EditorState, Event> {
  /** Shows the pairs at once and tells the kernel, at most 30 times a second. */
  setPairs(pairs: readonly Pair[]): void;
  /**
   * Shows these pairs, one of them held, and has the picture follow: at most 30 times a second.
   */
  hold(pairs: readonly Pair[], held: number): void;
  /** The hand lets go, where it is: that is an edit. Nothing, if nothing is held. */
  release(): void;
  /** The same, unless it is held again soon. */
  releaseSoon(): void;
  /** The hand takes back what it did. */
  letGo(): void;
  /** Shows a stroke that is being painted. */
  showStroke(stroke: Stroke): void;
  /** Sends the shown stroke, or drops it. */
  endStroke(keep: boolean): void;
}

export function openSession(model: Model): Session {
  const store = createStore(EMPTY, reduce);
  const { dispatch } = store;
  let revision = 0;
  let holding = false;
  let latest: Promise<void> = Promise.resolve(); // the last request to hold
  let roundTrip = 0; // ms until the last one that was answered was
  let painting: { revision: number; stroke: Stroke } | null = null;

  const sendDraft = async () => {
    const { draft } = store.get();
    if (draft === null || isHeld({ draft })) return;
    const answer = await widget.ask({ kind: "set_points", points: toRows(draft.pairs) });
    dispatch({ kind: "draft-settled", revision: draft.revision, ok: answer !== null });
  };
  const sendDraftSoon = throttle(sendDraft, DRAG_INTERVAL_MS);
  const sendDraftAtRest = debounce(sendDraft, RETARGET_AFTER_MS);

  /** What a hand holds, if it holds anything. */
  const held = () => {
    const { draft } = store.get();
    return draft !== null && draft.held !== undefined ? draft : null;
  };
  const askToHold = async (pairs: readonly Pair[]) => {
    const asked = performance.now();
    await widget.ask({ kind: "hold", points: toRows(pairs) });
    roundTrip = performance.now() - asked;
  };
  /**
   * Tells the newest place as soon as the kernel will be ready for it. It lies there when the kernel
   * has done the one before, which otherwise would stand idle for the way there and back. Never are
   * more than two under way, so that a slow kernel isn't flooded.
   */
  const keepHolding = async () => {
    if (holding) return;
    holding = true;
    for (let sent: Draft | null = null, draft = held(); draft !== sent; draft = held()) {
      if (draft === null) break;
      sent = draft;
      const earlier = latest;
      latest = askToHold(draft.pairs);
      const pause = Math.max(DRAG_INTERVAL_MS, AHEAD * roundTrip);
      await Promise.all([earlier, new Promise((next) => setTimeout(next, pause))]);
    }
    holding = false;
  };

  const release = async () => {
    const draft = held();
    releaseSoon.cancel();
    if (draft === null) return;
    const { revision: mine, pairs } = draft;
    // Nobody holds it any more, but it is shown until the kernel has it.
    dispatch({ kind: "draft", draft: { revision: mine, pairs } });
    const answer = await widget.ask({ kind: "release", points: toRows(pairs) });
    dispatch({ kind: "draft-settled", revision: mine, ok: answer !== null });
  };
  const releaseSoon = debounce(release, BURST_MS);

  const widget = openWidget<EditorState, Event>(model, store, {
    receive(message: FromKernel, [bytes]) {
      if (message.kind === "mask") dispatch({ kind: "mask", mask: readMask(message, bytes) });
    },
    beforeAsking({ kind }) {
      if (kind === "hold" || kind === "let_go") return;
      // What the keys hold is over when anything else is done; that is its edit.
      if (kind !== "release") void release();
      // Points first: a start must find those that are on the screen.
      if (kind === "set_points") return;
      sendDraftSoon.flush();
      sendDraftAtRest.flush();
    },
  });

  return {
    ...widget,
    setPairs(pairs) {
      revision += 1;
      dispatch({ kind: "draft", draft: { revision, pairs } });
      if (isRunning(store.get())) sendDraftAtRest();
      else sendDraftSoon();
    },
    hold(pairs, index) {
      if (held() === null) {
        sendDraftSoon.flush();
        sendDraftAtRest.flush();
        revision += 1;
      }
      dispatch({ kind: "draft", draft: { revision, pairs, held: index } });
      void keepHolding();
    },
    release,
    releaseSoon,
    letGo() {
      const draft = held();
      releaseSoon.cancel();
      if (draft === null) return;
      dispatch({ kind: "draft-settled", revision: draft.revision, ok: false });
      void widget.ask({ kind: "let_go" });
    },
    showStroke(stroke) {
      painting ??= { revision: ++revision, stroke };
      painting.stroke = stroke;
      dispatch({ kind: "stroke", ...painting });
    },
    async endStroke(keep) {
      if (painting === null) return;
      const { revision: mine, stroke } = painting;
      painting = null;
      const answer = keep
        ? await widget.ask({
            kind: "paint_mask",
            tool: stroke.tool,
            radius: stroke.radius,
            path: thinned(stroke.path),
          })
        : null;
      dispatch({ kind: "stroke-settled", revision: mine, ok: answer !== null });
    },
    close() {
      sendDraftSoon.cancel();
      sendDraftAtRest.cancel();
      releaseSoon.cancel();
      widget.close();
    },
  };
}

/** Null when everything may move. */
function readMask(message: MaskMessage, bytes: Uint8Array | undefined): Mask | null {
  return message.everywhere || bytes === undefined ? null : unpackMask(bytes, message);
}
