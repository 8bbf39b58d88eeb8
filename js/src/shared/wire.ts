// The wire: typed messages between the page and the kernel over one anywidget model.
//
// Everything live travels as custom messages, never as traits: a trait allows one message under
// way, is echoed, and is overtaken by custom messages. A message is either told (`ready`, `ack`,
// `heartbeat`: nobody answers) or asked: it then carries an `id`, and the kernel answers with
// `reply{id, ok, error?}`. Ids start at a random number, since the kernel's answers reach every
// page that shows the notebook.

/** The part of an anywidget model that the wire needs; every host has it. */
export interface Model {
  get(name: string): unknown;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

/** Jupyter hands buffers over as DataView, Colab and others as Uint8Array. */
export type HostBuffer = DataView | Uint8Array | ArrayBuffer;

export interface Answer<R> {
  reply: R;
  buffers: Uint8Array[];
}

export interface Wire<Told, Asked, R> {
  /** Sends a message that has no answer. False when the kernel is gone. */
  tell(message: Told): boolean;
  /**
   * Sends a request; resolves with the kernel's reply, also when that says `ok: false`, and with
   * null when the kernel is gone. A buffer may go with it.
   */
  ask(request: Asked, buffer?: ArrayBuffer): Promise<Answer<R> | null>;
  close(): void;
}

interface Reply {
  kind: "reply";
  id: number | null;
}

export interface WireOptions<In> {
  /** Every message but replies, in order. */
  onMessage(message: In, buffers: Uint8Array[]): void;
  /** Anything at all came from the kernel. */
  onLife(): void;
  /** Sending threw: the comm is dead. */
  onGone(): void;
}

/** Opens the wire: listens to the model's custom messages until closed. */
export function openWire<
  In extends { kind: string },
  Told extends { kind: string },
  Asked extends { kind: string },
  R extends Reply,
>(model: Model, options: WireOptions<In>): Wire<Told, Asked, R> {
  const open = new Map<number, (answer: Answer<R> | null) => void>();
  let nextId = Math.floor(Math.random() * 2 ** 30);

  const receive = (content: unknown, hostBuffers?: HostBuffer[]) => {
    if (typeof content !== "object" || content === null || !("kind" in content)) return;
    options.onLife();
    const buffers = (hostBuffers ?? []).map(toBytes);
    if (content.kind !== "reply") {
      options.onMessage(content as In, buffers);
      return;
    }
    const reply = content as unknown as R;
    if (reply.id === null) return;
    open.get(reply.id)?.({ reply, buffers });
    open.delete(reply.id);
  };

  const send = (message: object, buffer?: ArrayBuffer): boolean => {
    try {
      if (buffer === undefined) model.send(message);
      else model.send(message, undefined, [buffer]);
      return true;
    } catch {
      options.onGone();
      return false;
    }
  };

  const giveUp = () => {
    for (const resolve of open.values()) resolve(null);
    open.clear();
  };

  model.on("msg:custom", receive);
  return {
    tell: (message) => send(message),
    ask: (request, buffer) =>
      new Promise((resolve) => {
        const id = nextId++;
        open.set(id, resolve);
        if (!send({ ...request, id }, buffer)) giveUp();
      }),
    close() {
      model.off("msg:custom", receive);
      giveUp();
    },
  };
}

/** The bytes of a host's buffer, without copying them. */
export function toBytes(buffer: HostBuffer): Uint8Array {
  if (buffer instanceof Uint8Array) return buffer;
  if (ArrayBuffer.isView(buffer)) {
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }
  return new Uint8Array(buffer);
}
