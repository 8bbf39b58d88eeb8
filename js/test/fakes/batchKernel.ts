// A batch's kernel for tests: writes down what the page says, sends tiles of what it looks at.

import {
  type FromKernel,
  type FromPage,
  PROTOCOL,
  type Reply,
  type Request,
  type Snapshot,
} from "../../src/batch/protocol.gen";
import type { Host } from "./hosts";
import { PIXELS } from "./kernel";

export function batchSnapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    kind: "snapshot",
    protocol: PROTOCOL,
    revision: 1,
    epoch: 1,
    name: "face front",
    model: { name: "toonfaces-128", width: 128, height: 128 },
    count: 12,
    strength: 1,
    alpha: 2,
    low: -1,
    high: 2,
    neutral: null,
    by: "source",
    running: null,
    progress: null,
    path: "face-front",
    written: null,
    included: 12,
    offsets_version: 1,
    order_version: 1,
    included_version: 1,
    overrides_version: 1,
    status: { kind: "status", level: "info", text: "" },
    ...changes,
  };
}

type Kind = FromPage["kind"];
type Of<K extends Kind> = Extract<FromPage, { kind: K }>;
type Answers = { [K in Request["kind"]]?: (request: Of<K>) => Partial<Reply> };

export class FakeBatchKernel {
  readonly heard: FromPage[] = [];
  state: Snapshot;
  offsets: number[];
  order: number[];
  readonly included: Set<number>;
  readonly overrides = new Map<number, number>();
  answers: Answers = {};
  /** Requests that are not answered but kept in `held`, for a test to answer. */
  holding: (message: FromPage) => boolean = () => false;
  readonly held: FromPage[] = [];
  /** Set to keep tiles back. */
  silent = false;
  private seq = 0;

  constructor(
    private readonly host: Host,
    count = 12,
  ) {
    const all = Array.from({ length: count }, (_, i) => i);
    this.state = batchSnapshot({ count, included: count });
    this.offsets = all.map((i) => i / 4 - 1);
    this.order = all;
    this.included = new Set(all);
    host.onSend = (message) => this.receive(message as unknown as FromPage);
  }

  say(message: FromKernel, ...buffers: Uint8Array[]): void {
    this.host.deliver(message as never, buffers);
  }

  change(changes: Partial<Snapshot>): void {
    this.state = { ...this.state, ...changes, revision: this.state.revision + 1 };
    this.say(this.state);
  }

  alphaOf(item: number): number {
    const automatic = this.state.strength * this.state.alpha + (this.offsets[item] ?? 0);
    return this.overrides.get(item) ?? automatic;
  }

  tiles(items: readonly number[], { broken = false } = {}): void {
    if (this.silent) return;
    const tiles = items.flatMap((item) => [
      { item, after: false, alpha: 0 },
      { item, after: true, alpha: item < 0 ? this.state.strength * 2 : this.alphaOf(item) },
    ]);
    this.say(
      { kind: "tiles", seq: ++this.seq, tiles },
      ...tiles.map(() => (broken ? new Uint8Array() : PIXELS)),
    );
  }

  all<K extends Kind>(kind: K): Of<K>[] {
    return this.heard.filter((message): message is Of<K> => message.kind === kind);
  }

  last<K extends Kind>(kind: K): Of<K> | undefined {
    return this.all(kind).at(-1);
  }

  sendAll(): void {
    const { offsets_version, order_version, included_version, overrides_version } = this.state;
    this.say({ kind: "names", names: this.order.map((item) => `seed ${item}`) });
    const offsets = Float32Array.from(this.offsets);
    this.say({ kind: "offsets", version: offsets_version }, new Uint8Array(offsets.buffer));
    const order = Uint32Array.from(this.order);
    this.say({ kind: "order", version: order_version }, new Uint8Array(order.buffer));
    const bits = new Uint8Array(Math.ceil(this.state.count / 8));
    for (const item of this.included) bits[item >> 3] = (bits[item >> 3] ?? 0) | (1 << (item & 7));
    this.say({ kind: "included", version: included_version }, bits);
    const [items, alphas] = [[...this.overrides.keys()], [...this.overrides.values()]];
    this.say({ kind: "overrides", version: overrides_version, items, alphas });
    this.say(this.state);
  }

  private receive(message: FromPage): void {
    this.heard.push(message);
    if (this.holding(message)) {
      this.held.push(message);
      return;
    }
    if (message.kind === "ready") this.sendAll();
    else if (message.kind === "heartbeat")
      this.say({ kind: "beat", revision: this.state.revision });
    else if (message.kind === "look") this.tiles(message.items);
    else if (message.kind !== "ack") this.answer(message);
  }

  private answer(message: Request): void {
    const answer = this.answers[message.kind] as ((request: Request) => Partial<Reply>) | undefined;
    const reply: Reply = {
      kind: "reply",
      id: message.id,
      ok: true,
      error: null,
      ...answer?.(message),
    };
    if (reply.ok) this.obey(message);
    this.say(reply);
  }

  private obey(message: Request): void {
    const { state } = this;
    state.revision += 1;
    if (message.kind === "set_strength") state.strength = message.strength;
    else if (message.kind === "set_alpha") {
      if (message.alpha === null) this.overrides.delete(message.item);
      else this.overrides.set(message.item, message.alpha);
    } else if (message.kind === "include") {
      for (const item of message.items) {
        if (message.included) this.included.add(item);
        else this.included.delete(item);
      }
      state.included = this.included.size;
    } else if (message.kind === "sort") {
      state.by = message.by;
      if (message.by === "strength")
        this.order = [...this.order].sort((a, b) => this.alphaOf(b) - this.alphaOf(a));
    }
    this.sendAll();
  }
}
