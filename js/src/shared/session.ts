// The session: one model's connection to its kernel, shared by all its views.
//
// It turns what the kernel says into store events, and what the user does into messages. It lives
// in `initialize`, before any view exists, and outlives them. What is here serves every widget; each
// one's own session adds the messages that only it has.

import { createFrameReceiver } from "./frames";
import { decodePicture, type Picture, sniffType, toBlob } from "./pictures";
import {
  type Frame,
  type FromKernel,
  type FromPage,
  type Level,
  LIMITS,
  PROTOCOL,
  type Reply,
  type Snapshot,
} from "./protocol.gen";
import { startPulse } from "./pulse";
import type { Store, WidgetEvent, WidgetState } from "./store";
import { sendFile } from "./upload";
import type { Point } from "./viewport";
import { type Answer, type HostBuffer, type Model, openWire, toBytes } from "./wire";

/** As many characters as the kernel takes. */
const MAX_FILE_NAME = 255;

type Told = Extract<FromPage, { kind: "ready" | "ack" | "heartbeat" }>;
type Asked = Exclude<FromPage, Told>;
/** A request as the user makes it; the wire numbers it. */
export type Request = Asked extends infer M ? (M extends Asked ? Omit<M, "id"> : never) : never;

export interface Session<S extends WidgetState = WidgetState, E = WidgetEvent> {
  readonly store: Store<S, E>;
  /** A view came up or came back: asks the kernel for everything it has. */
  connect(): void;
  /** Sends a request; an error ends up in the notice. Null when it failed. */
  ask(request: Request): Promise<Answer<Reply> | null>;
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

/** What a widget's session does beside what all do. */
export interface Own {
  /** A message of the kernel's that is not for every widget. */
  receive(message: FromKernel, buffers: Uint8Array[]): void;
  /** A request is about to go: what the kernel must have before it goes now. */
  beforeAsking(request: Request): void;
}

export function openSession<S extends WidgetState, E>(
  model: Model,
  store: Store<S, E | WidgetEvent>,
  own: Own,
): Session<S, E | WidgetEvent> {
  const dispatch: (event: WidgetEvent) => void = store.dispatch;
  const views = new Set<() => boolean>();
  let befores = 0;
  /** The number of the file that is being sent. */
  let uploading: number | null = null;

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
    onMessage: (message, buffers) => receive(message, buffers),
    onLife: () => pulse.alive(),
    onGone: () => pulse.gone(),
  });

  const receive = (message: FromKernel, buffers: Uint8Array[]) => {
    const [bytes] = buffers;
    switch (message.kind) {
      case "snapshot":
        if (message.protocol !== PROTOCOL) return refuse(message.protocol);
        dispatch({ kind: "snapshot", snapshot: message });
        return dropThumbnails(new Set(message.history.map(({ id }) => id)));
      case "frame":
        return bytes && frames.receive(message, bytes);
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
        return;
      default:
        return own.receive(message, buffers);
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
    own.beforeAsking(request);
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
      // Not by `ask`, which has a widget send what is drafted: that goes on at its own pace.
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
    upload,
    stopLoading,
    notify,
    addView(visible) {
      views.add(visible);
      return () => views.delete(visible);
    },
    wake: frames.wake,
    close() {
      pulse.stop();
      frames.close();
      wire.close();
      model.off("change:still", onTrait);
      model.off("change:saved", onTrait);
      dropThumbnails(new Set());
    },
  };
}

/** A path of at most as many points as the kernel takes, first and last among them. */
export function thinned(path: readonly Point[]): [number, number][] {
  const every = Math.ceil(path.length / LIMITS.path);
  return path
    .filter((_, i) => i % every === 0 || i === path.length - 1)
    .map(([x, y]): [number, number] => [x, y])
    .slice(-LIMITS.path);
}
