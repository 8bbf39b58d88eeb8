// The painter's session: strokes, sliders and vectors, beside what every widget's session does.

import { inflate } from "../shared/inflate";
import { toBlob } from "../shared/pictures";
import type { Labels, Parts, Vectors } from "../shared/protocol.gen";
import {
  openSession as openWidget,
  type Request,
  thinned,
  type Session as WidgetSession,
} from "../shared/session";
import { createStore } from "../shared/store";
import { type HostBuffer, type Model, toBytes } from "../shared/wire";
import type { Stroke } from "./labels";
import { EMPTY, type Event, type PainterState, reduce, type Scales, shownScales } from "./store";

export interface Session extends WidgetSession<PainterState, Event> {
  /** Shows a stroke that is being drawn, in place of the one shown before it. */
  showStroke(stroke: Stroke): void;
  /** Sends the shown stroke, or drops it. */
  endStroke(keep: boolean): void;
  /** Moves a slider, at once on the page; the kernel gets the newest of all its places. */
  slide(name: string, scale: number): void;
  /** All sliders back to 0. */
  slideBack(): void;
}

export function openSession(model: Model): Session {
  const store = createStore(EMPTY, reduce);
  const { dispatch } = store;
  let revision = 0;
  let drawing: { revision: number; stroke: Stroke } | null = null;
  /** Maps are decompressed one after the other, so that the newest stays. */
  let arriving: Promise<void> = Promise.resolve();
  /** The revision of the newest places of the sliders that were sent. */
  let sent = 0;
  let sliding = false;

  const receiveLabels = async (message: Labels, bytes: Uint8Array) => {
    const { version, width, height, original } = message;
    const labels = await inflate(bytes, width * height);
    dispatch({ kind: "labels", original, known: { version, map: { width, height, labels } } });
  };

  const undecodable = (error: unknown) =>
    widget.notify("error", `The browser could not read a part map: ${String(error)}`);

  const showVectors = ({ vectors }: Vectors, previews: readonly Uint8Array[]) => {
    forgetPreviews();
    const sliders = vectors.map((vector, i) => {
      const bytes = previews[i];
      const preview = bytes?.length ? URL.createObjectURL(toBlob(bytes, "image/webp")) : null;
      return { ...vector, preview };
    });
    dispatch({ kind: "sliders", sliders });
  };

  const forgetPreviews = () => {
    for (const { preview } of store.get().sliders) if (preview) URL.revokeObjectURL(preview);
  };

  /** One request is under way at a time; when it is answered, the newest places go. */
  const sendScales = async () => {
    const now = store.get().sliding;
    if (now === null || now.revision === sent) return;
    sent = now.revision;
    const answer = await widget.ask({ kind: "slide", scales: now.scales });
    dispatch({ kind: "slide-settled", revision: now.revision, ok: answer !== null });
  };
  const keepSliding = async () => {
    if (sliding) return;
    sliding = true;
    while (store.get().sliding !== null && store.get().sliding?.revision !== sent) {
      await sendScales();
    }
    sliding = false;
  };
  const slideTo = (scales: Scales) => {
    dispatch({ kind: "slide", revision: ++revision, scales });
    void keepSliding();
  };

  const widget = openWidget<PainterState, Event>(model, store, {
    receive(message, buffers) {
      switch (message.kind) {
        case "parts":
          return dispatch({ kind: "parts", parts: message.parts });
        case "vectors":
          return showVectors(message, buffers);
        case "labels": {
          const [bytes] = buffers;
          if (bytes === undefined) return;
          arriving = arriving.then(() => receiveLabels(message, bytes)).catch(undecodable);
        }
      }
    },
    beforeAsking({ kind }) {
      // What is on the screen first: an edit starts from where the sliders are.
      if (kind !== "slide") void sendScales();
    },
  });

  /** What the notebook saved, for a page without a kernel and for the time until it answers. */
  const showSaved = async () => {
    const { snapshot } = store.get();
    const saved = model.get("saved_parts") as Partial<Parts> | undefined;
    const bytes = model.get("saved_labels") as HostBuffer | undefined;
    if (snapshot === null || !saved?.parts || !bytes?.byteLength) return;
    const { width, height } = snapshot.model;
    const labels = await inflate(toBytes(bytes), width * height);
    // What comes from the kernel is newer.
    if (store.get().connection === "live" || store.get().edited !== null) return;
    const version = snapshot.labels_version ?? 0;
    dispatch({ kind: "parts", parts: saved.parts });
    dispatch({
      kind: "labels",
      original: false,
      known: { version, map: { width, height, labels } },
    });
  };
  void showSaved().catch(() => undefined);

  const settle = (mine: number, ok: boolean) =>
    dispatch({ kind: "stroke-settled", revision: mine, ok });

  return {
    ...widget,
    showStroke(stroke) {
      drawing = { revision: drawing?.revision ?? ++revision, stroke };
      dispatch({ kind: "stroke", ...drawing });
    },
    async endStroke(keep) {
      if (drawing === null) return;
      const { revision: mine, stroke } = drawing;
      drawing = null;
      const answer = keep ? await widget.ask(request(stroke)) : null;
      settle(mine, answer !== null);
    },
    slide(name, scale) {
      const { [name]: _, ...others } = shownScales(store.get());
      slideTo(scale === 0 ? others : { ...others, [name]: scale });
    },
    slideBack: () => slideTo({}),
    close() {
      forgetPreviews();
      widget.close();
    },
  };
}

function request(stroke: Stroke): Request {
  return stroke.kind === "paint_labels" ? { ...stroke, path: thinned(stroke.path) } : stroke;
}
