// The session: one batch's connection to its kernel, shared by all the views of its model.

import { decodePicture, sniffType, toBlob } from "../shared/pictures";
import { startPulse } from "../shared/pulse";
import { createStore, type Store } from "../shared/store";
import { type Answer, type HostBuffer, type Model, openWire, toBytes } from "../shared/wire";
import { fetchFile, insist, saveAs } from "./download";
import { createNewest } from "./newest";
import {
  type Request as Asked,
  type FromKernel,
  type FromPage,
  type Level,
  LIMITS,
  PROTOCOL,
  type Reply,
  type Snapshot,
} from "./protocol.gen";
import { type BatchState, EMPTY, type Event, reduce } from "./store";
import { createTiles, type Tiles } from "./tiles";

type Told = Exclude<FromPage, Asked>;
/** A request as the user makes it; the wire numbers it. */
export type Request = Asked extends infer M ? (M extends Asked ? Omit<M, "id"> : never) : never;

export interface Session {
  readonly store: Store<BatchState, Event>;
  readonly tiles: Tiles;
  /** A view came up or came back: asks the kernel for everything it has. */
  connect(): void;
  /** Sends a request; an error ends up in the notice. Null when it failed. */
  ask(request: Request): Promise<Answer<Reply> | null>;
  /** Moves the slider, at once on the page; the kernel gets the newest of all its places. */
  slide(strength: number, moving: boolean): void;
  /** Gives a picture a strength of its own, or with null its automatic one, as `slide` does. */
  override(item: number, alpha: number | null, moving: boolean): void;
  /** Fetches the file that was written, and has the browser save it. */
  download(): Promise<void>;
  /** Gives up what is being fetched. */
  stopDownload(): void;
  /** What a view has in sight, what matters most first. */
  look(view: number, items: readonly number[]): void;
  notify(level: Level, text: string): void;
  close(): void;
}

export function openSession(model: Model): Session {
  const store = createStore(EMPTY, reduce);
  const { dispatch } = store;
  const tiles = createTiles();
  /** By view, what it has in sight. */
  const views = new Map<number, readonly number[]>();
  let epoch = -1;
  let revision = 0;
  /** Pictures are decoded in the order in which they come, so that the newest stays. */
  let arriving: Promise<void> = Promise.resolve();

  const pulse = startPulse({
    ready: () => wire.tell({ kind: "ready", protocol: PROTOCOL }),
    beat: () => wire.tell({ kind: "heartbeat" }),
    onChange: (connection) => dispatch({ kind: "connection", connection }),
  });

  const wire = openWire<FromKernel, Told, Asked, Reply>(model, {
    onMessage: (message, buffers) => receive(message, buffers),
    onLife: () => pulse.alive(),
    onGone: () => pulse.gone(),
  });

  const receive = (message: FromKernel, buffers: Uint8Array[]) => {
    const [bytes = new Uint8Array()] = buffers;
    switch (message.kind) {
      case "snapshot":
        return receiveSnapshot(message);
      case "names":
        return dispatch({ kind: "names", names: message.names });
      case "offsets":
        return dispatch({ kind: "offsets", offsets: new Float32Array(aligned(bytes)) });
      case "order":
        return dispatch({ kind: "order", order: new Uint32Array(aligned(bytes)) });
      case "included":
        return dispatch({ kind: "included", included: bytes.slice() });
      case "overrides": {
        const pairs = message.items.map((item, i) => [item, message.alphas[i] ?? 0] as const);
        return dispatch({ kind: "overrides", overrides: new Map(pairs) });
      }
      case "tiles": {
        const { seq } = message;
        arriving = arriving.then(async () => {
          await Promise.all(
            message.tiles.map(({ item, after, alpha }, i) =>
              receiveTile(item, after, alpha, buffers[i]),
            ),
          );
          // A page that nobody sees says nothing, so that the kernel makes no more.
          if (views.size > 0) wire.tell({ kind: "ack", seq });
        });
        return;
      }
      case "status":
        return dispatch({ kind: "notice", notice: message });
      case "beat":
        // Another revision than ours: something was missed.
        if (message.revision !== store.get().snapshot?.revision) pulse.connect();
    }
  };

  const receiveSnapshot = (snapshot: Snapshot) => {
    if (snapshot.protocol !== PROTOCOL) {
      return notify(
        "error",
        `This page speaks protocol ${PROTOCOL}, the kernel ${snapshot.protocol}: save the notebook and reload the page.`,
      );
    }
    dispatch({ kind: "snapshot", snapshot });
    if (snapshot.epoch === epoch) return;
    epoch = snapshot.epoch;
    for (const [view, items] of views) wire.tell({ kind: "look", view, items: [...items] });
  };

  const receiveTile = async (
    item: number,
    after: boolean,
    alpha: number,
    bytes: Uint8Array | undefined,
  ) => {
    if (!bytes?.length) return tiles.put(item, after, { picture: null, alpha });
    try {
      const picture = await decodePicture(bytes, "image/jpeg");
      tiles.put(item, after, { picture, alpha });
    } catch (error) {
      notify("error", `The browser could not decode a picture: ${String(error)}`);
    }
  };

  const notify: Session["notify"] = (level, text) =>
    dispatch({ kind: "notice", notice: { level, text } });

  const ask: Session["ask"] = async (request) => {
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

  const slideTo = createNewest(
    async ({ mine, strength, moving }: { mine: number; strength: number; moving: boolean }) => {
      await ask({ kind: "set_strength", strength, moving });
      dispatch({ kind: "slide-settled", revision: mine });
    },
  );

  interface Override {
    mine: number;
    item: number;
    alpha: number | null;
    moving: boolean;
  }
  /** One for each picture, so that a hand that goes to the next leaves none unsaid. */
  const overriders = new Map<number, (value: Override) => void>();
  const overriderOf = (item: number) => {
    const known = overriders.get(item);
    if (known) return known;
    const made = createNewest(async ({ mine, alpha, moving }: Override) => {
      await ask({ kind: "set_alpha", item, alpha, moving });
      dispatch({ kind: "override-settled", revision: mine });
    });
    overriders.set(item, made);
    return made;
  };

  const download: Session["download"] = async () => {
    const { snapshot, fetching } = store.get();
    if (!snapshot?.written || fetching) return;
    const file = { ...snapshot.written }; // one of its own, by which this download knows itself
    const progress = (bytes: number) => dispatch({ kind: "fetching", fetching: { file, bytes } });
    const wanted = () => store.get().fetching?.file === file;
    const fetch = async (offset: number) => {
      // Not `ask`: that a piece has come takes no notice back.
      const request = { kind: "fetch", file: file.number, offset } as Asked;
      const answer = await insist(() => wire.ask(request), wanted);
      if (answer?.reply.ok) return answer.buffers[0] ?? null;
      if (answer !== null && wanted()) notify("error", answer.reply.error ?? "It can't be read.");
      return null;
    };
    progress(0);
    const blob = await fetchFile(file.size, { fetch, wanted, progress });
    if (!wanted()) return;
    dispatch({ kind: "fetching", fetching: null });
    if (blob === null) return;
    saveAs(blob, file.name);
    notify("info", `Downloaded ${file.name}.`);
  };

  const stopDownload = () => {
    const { fetching } = store.get();
    if (fetching === null) return;
    dispatch({ kind: "fetching", fetching: null });
    notify("info", `Downloading ${fetching.file.name} was stopped.`);
  };

  /** What the notebook saved, for a page without a kernel and for the time until it answers. */
  const showSaved = () => {
    if (store.get().connection === "live") return;
    const saved = model.get("saved") as Partial<Snapshot> | undefined;
    if (saved?.kind === "snapshot" && saved.protocol === PROTOCOL && !store.get().snapshot) {
      const atRest = { running: null, progress: null };
      dispatch({ kind: "snapshot", snapshot: { ...(saved as Snapshot), ...atRest } });
    }
    const still = model.get("still") as HostBuffer | undefined;
    const bytes = still && toBytes(still);
    if (!bytes?.length) return;
    forgetSheet();
    dispatch({ kind: "sheet", sheet: URL.createObjectURL(toBlob(bytes, sniffType(bytes))) });
  };
  const forgetSheet = () => {
    const { sheet } = store.get();
    if (sheet !== null) URL.revokeObjectURL(sheet);
  };
  model.on("change:still", showSaved);
  model.on("change:saved", showSaved);
  showSaved();

  return {
    store,
    tiles,
    connect: pulse.connect,
    ask,
    slide(strength, moving) {
      const mine = ++revision;
      dispatch({ kind: "slide", revision: mine, strength });
      slideTo({ mine, strength, moving });
    },
    override(item, alpha, moving) {
      const mine = ++revision;
      dispatch({ kind: "override", revision: mine, item, alpha });
      overriderOf(item)({ mine, item, alpha, moving });
    },
    download,
    stopDownload,
    look(view, items) {
      const some = items.slice(0, LIMITS.in_sight);
      if (some.length > 0) views.set(view, some);
      else views.delete(view);
      wire.tell({ kind: "look", view, items: some });
    },
    notify,
    close() {
      dispatch({ kind: "fetching", fetching: null });
      pulse.stop();
      model.off("change:still", showSaved);
      model.off("change:saved", showSaved);
      wire.close();
      tiles.close();
      forgetSheet();
    },
  };
}

/** The bytes where numbers of four bytes can be read: a host's buffer may begin anywhere. */
function aligned(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}
