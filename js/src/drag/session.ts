// The session: one model's connection to its kernel, shared by all its views.
//
// It turns what the kernel says into store events, and what the user does into messages. It lives
// in `initialize`, before any view exists, and outlives them.

import { createFrameReceiver } from "../shared/frames";
import { decodePicture, type Picture, sniffType, toBlob } from "../shared/pictures";
import {
  type Frame,
  type FromKernel,
  type FromPage,
  type Level,
  LIMITS,
  type Mask as MaskMessage,
  PROTOCOL,
  type Reply,
  type Snapshot,
} from "../shared/protocol.gen";
import { startPulse } from "../shared/pulse";
import { debounce, throttle } from "../shared/rhythm";
import type { Point } from "../shared/viewport";
import { type Answer, type HostBuffer, type Model, openWire, toBytes } from "../shared/wire";
import { type Mask, type Stroke, unpackMask } from "./mask";
import { type Pair, toRows } from "./points";
import {
  createStore,
  type EditorState,
  EMPTY,
  type Event,
  isRunning,
  reduce,
  type Store,
} from "./store";
import { sendFile } from "./upload";

/** At most 30 messages a second to the kernel while a point is dragged. */
const DRAG_INTERVAL_MS = 34;

/** New targets end a running edit and begin the next, so they are sent once the hand rests. */
const RETARGET_AFTER_MS = 200;

/** As many characters as the kernel takes. */
const MAX_FILE_NAME = 255;

type Told = Extract<FromPage, { kind: "ready" | "ack" | "heartbeat" }>;
type Asked = Exclude<FromPage, Told>;
/** A request as the user makes it; the wire numbers it. */
export type Request = Asked extends infer M ? (M extends Asked ? Omit<M, "id"> : never) : never;

export interface Session {
  readonly store: Store<EditorState, Event>;
  /** A view came up or came back: asks the kernel for everything it has. */
  connect(): void;
  /** Sends a request; an error ends up in the notice. Null when it failed. */
  ask(request: Request): Promise<Answer<Reply> | null>;
  /** Shows the pairs at once and tells the kernel, at most 30 times a second. */
  setPairs(pairs: readonly Pair[]): void;
  /** Shows a stroke that is being painted. */
  showStroke(stroke: Stroke): void;
  /** Sends the shown stroke, or drops it. */
  endStroke(keep: boolean): void;
  /** Sends a file of this machine, to be loaded as a generator. */
  upload(file: File): Promise<void>;
  /** Gives up the generator that is on its way. */
  stopLoading(): Promise<void>;
  notify(level: Level, text: string): void;
  /** Registers a view; frames are acknowledged while at least one is visible. */
  addView(visible: () => boolean): () => void;
  /** A view became visible. */
  wake(): void;
  close(): void;
}

export function openSession(model: Model): Session {
  const store = createStore(EMPTY, reduce);
  const { dispatch } = store;
  const views = new Set<() => boolean>();
  let revision = 0;
  let befores = 0;
  /** The number of the file that is being sent. */
  let uploading: number | null = null;
  let painting: { revision: number; stroke: Stroke } | null = null;

  const pulse = startPulse({
    ready: () => wire.tell({ kind: "ready", protocol: PROTOCOL }),
    beat: () => wire.tell({ kind: "heartbeat" }),
    onChange: (connection) => dispatch({ kind: "connection", connection }),
  });

  const frames = createFrameReceiver<Frame, Picture>({
    decode: (bytes, frame) => decodePicture(bytes, frame.format),
    show(picture, frame) {
      const old = store.get().picture;
      dispatch({ kind: "frame", frame, picture });
      old?.close();
    },
    ack: (seq) => wire.tell({ kind: "ack", seq }),
    visible: () => [...views].some((visible) => visible()),
    onError: (error) => undecodable(error),
  });

  const wire = openWire<FromKernel, Told, Asked, Reply>(model, {
    onMessage: (message, buffers) => receive(message, buffers[0]),
    onLife: () => pulse.alive(),
    onGone: () => pulse.gone(),
  });

  const receive = (message: FromKernel, bytes: Uint8Array | undefined) => {
    switch (message.kind) {
      case "snapshot":
        if (message.protocol !== PROTOCOL) return refuse(message.protocol);
        dispatch({ kind: "snapshot", snapshot: message });
        return dropThumbnails(new Set(message.history.map(({ id }) => id)));
      case "frame":
        return bytes && frames.receive(message, bytes);
      case "mask":
        return dispatch({ kind: "mask", mask: readMask(message, bytes) });
      case "thumbnail":
        return bytes && showThumbnail(message.entry, toBlob(bytes, message.format));
      case "before":
        return bytes && void showBefore(bytes, message.format).catch(undecodable);
      case "status":
        return dispatch({ kind: "notice", notice: message });
      case "loading":
        return dispatch({ kind: "loading", loading: message });
      case "beat":
        // Another revision than ours: something was missed.
        if (message.revision !== store.get().snapshot?.revision) pulse.connect();
    }
  };

  const undecodable = (error: unknown) =>
    notify("error", `The browser could not decode a picture: ${String(error)}`);

  const refuse = (protocol: number) =>
    notify(
      "error",
      `This page speaks protocol ${PROTOCOL}, the kernel ${protocol}: save the notebook and reload the page.`,
    );

  const showBefore = async (bytes: Uint8Array, format: string) => {
    const mine = ++befores;
    const picture = await decodePicture(bytes, format);
    // A newer one may have been decoded faster.
    if (mine !== befores) return picture.close();
    const old = store.get().before;
    dispatch({ kind: "before", picture });
    old?.close();
  };

  const showThumbnail = (entry: number, blob: Blob) => {
    const old = store.get().thumbnails.get(entry);
    dispatch({ kind: "thumbnail", entry, url: URL.createObjectURL(blob) });
    if (old) URL.revokeObjectURL(old);
  };

  /** Frees the thumbnails of entries that are no more. */
  const dropThumbnails = (kept: ReadonlySet<number>) => {
    const gone = [...store.get().thumbnails].filter(([entry]) => !kept.has(entry));
    if (gone.length === 0) return;
    dispatch({ kind: "thumbnails-dropped", entries: gone.map(([entry]) => entry) });
    for (const [, url] of gone) URL.revokeObjectURL(url);
  };

  const notify: Session["notify"] = (level, text) =>
    dispatch({ kind: "notice", notice: { level, text } });

  const ask: Session["ask"] = async (request) => {
    // Points first: a start must find those that are on the screen.
    if (request.kind !== "set_points") {
      sendDraftSoon.flush();
      sendDraftAtRest.flush();
    }
    dispatch({ kind: "asked", request: request.kind });
    const answer = await wire.ask(request as Asked);
    dispatch({ kind: "answered", request: request.kind });
    if (answer === null) return null;
    if (answer.reply.ok) {
      dispatch({ kind: "error-over" });
      return answer;
    }
    notify("error", answer.reply.error ?? "The kernel refused, without saying why.");
    return null;
  };

  const upload = async (file: File) => {
    const { size } = file;
    if (size === 0 || size > LIMITS.upload) {
      const gigabytes = `${LIMITS.upload / 2 ** 30} GiB`;
      const why = size === 0 ? "is empty" : `is larger than ${gigabytes}`;
      return notify("error", `${file.name} ${why}; choose a checkpoint of a generator.`);
    }
    const name = file.name.slice(-MAX_FILE_NAME);
    const answer = await ask({ kind: "upload", name, size });
    const number = answer?.reply.id;
    if (typeof number !== "number") return;
    uploading = number;
    addEventListener("pagehide", stopLoading);
    try {
      // Not by `ask`, which sends drafts first: these go on meanwhile at their own pace.
      const send = async (offset: number, bytes: ArrayBuffer) => {
        const taken = await wire.ask({ kind: "chunk", upload: number, offset } as Asked, bytes);
        return taken?.reply.ok === true;
      };
      await sendFile(file, { send, wanted: () => uploading === number });
    } catch (error) {
      // The file was moved or changed under our hands.
      if (uploading === number) await stopLoading();
      notify("error", `${file.name} could not be read: ${String(error)}`);
    } finally {
      if (uploading === number) uploading = null;
      removeEventListener("pagehide", stopLoading);
    }
  };

  const stopLoading = async () => {
    // No piece goes out after this.
    uploading = null;
    await ask({ kind: "stop_loading" });
  };

  const sendDraft = async () => {
    const { draft } = store.get();
    if (draft === null) return;
    const answer = await ask({ kind: "set_points", points: toRows(draft.pairs) });
    dispatch({ kind: "draft-settled", revision: draft.revision, ok: answer !== null });
  };
  const sendDraftSoon = throttle(sendDraft, DRAG_INTERVAL_MS);
  const sendDraftAtRest = debounce(sendDraft, RETARGET_AFTER_MS);

  /** What the notebook saved, for a page without a kernel and for the time until it answers. */
  const showSaved = async () => {
    if (store.get().connection === "live") return;
    const saved = model.get("saved") as Partial<Snapshot> | undefined;
    const readable = saved?.kind === "snapshot" && saved.protocol === PROTOCOL;
    if (readable && store.get().snapshot === null) {
      const atRest = { running: false, loading: null, previous: null };
      dispatch({ kind: "snapshot", snapshot: { ...(saved as Snapshot), ...atRest } });
    }
    const still = model.get("still") as HostBuffer | undefined;
    const bytes = still && toBytes(still);
    if (!bytes?.length) return;
    dispatch({ kind: "still", picture: await decodePicture(bytes, sniffType(bytes)) });
  };
  const onTrait = () => void showSaved().catch(() => undefined);
  model.on("change:still", onTrait);
  model.on("change:saved", onTrait);
  onTrait();

  return {
    store,
    connect: pulse.connect,
    ask,
    setPairs(pairs) {
      revision += 1;
      dispatch({ kind: "draft", draft: { revision, pairs } });
      if (isRunning(store.get())) sendDraftAtRest();
      else sendDraftSoon();
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
        ? await ask({
            kind: "paint_mask",
            tool: stroke.tool,
            radius: stroke.radius,
            path: thinned(stroke.path),
          })
        : null;
      dispatch({ kind: "stroke-settled", revision: mine, ok: answer !== null });
    },
    upload,
    stopLoading,
    notify,
    addView(visible) {
      views.add(visible);
      return () => views.delete(visible);
    },
    wake: frames.wake,
    close() {
      sendDraftSoon.cancel();
      sendDraftAtRest.cancel();
      pulse.stop();
      frames.close();
      wire.close();
      model.off("change:still", onTrait);
      model.off("change:saved", onTrait);
      dropThumbnails(new Set());
    },
  };
}

/** Null when everything may move. */
function readMask(message: MaskMessage, bytes: Uint8Array | undefined): Mask | null {
  return message.everywhere || bytes === undefined ? null : unpackMask(bytes, message);
}

/** A path of at most as many points as the kernel takes, first and last among them. */
function thinned(path: readonly Point[]): [number, number][] {
  const every = Math.ceil(path.length / LIMITS.path);
  return path
    .filter((_, i) => i % every === 0 || i === path.length - 1)
    .map(([x, y]): [number, number] => [x, y])
    .slice(-LIMITS.path);
}
