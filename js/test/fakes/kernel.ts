// A kernel for tests: writes down what the page says and answers what the test wants.

import {
  type Frame,
  type FromKernel,
  type FromPage,
  PROTOCOL,
  type Reply,
  type Request,
  type Snapshot,
} from "../../src/shared/protocol.gen";
import type { Host } from "./hosts";

export function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    kind: "snapshot",
    protocol: PROTOCOL,
    revision: 1,
    model: { name: "toonfaces-128", width: 128, height: 128, num_ws: 12, num_labels: 0 },
    seed: 11,
    truncation: 0.7,
    label: null,
    points: [],
    mask_version: 0,
    labels_version: null,
    strokes: 0,
    strokes_ahead: 0,
    live: false,
    paint_options: {},
    paint_schema: [],
    scales: {},
    method: null,
    drag_method: "drag",
    follow: false,
    drag_methods: [
      { name: "drag", title: "DragGAN", help: "Optimises.", missing: null },
      { name: "auto_drag", title: "One pass", help: "Predicts.", missing: null },
    ],
    options: { learning_rate: 0.002, tracking: true, space: "w+" },
    schema: [
      {
        kind: "number",
        name: "learning_rate",
        label: "Step size",
        symbol: "",
        unit: "",
        help: "Adam's learning rate.",
        default: 0.002,
        min: 1e-5,
        max: 1,
        step: 0.001,
        integer: false,
        scale: "log",
        automatic: null,
      },
      {
        kind: "choice",
        name: "space",
        label: "Space",
        symbol: "",
        help: "Which latents move.",
        default: "w+",
        choices: [
          { value: "w+", label: "W+" },
          { value: "w", label: "W" },
        ],
      },
    ],
    running: false,
    progress: null,
    history: [{ id: 1, label: "seed 11" }],
    cursor: 0,
    status: { kind: "status", level: "info", text: "" },
    loading: null,
    previous: null,
    ...changes,
  };
}

export function frame(changes: Partial<Frame> = {}): Frame {
  return {
    kind: "frame",
    seq: 1,
    final: false,
    format: "image/jpeg",
    width: 128,
    height: 128,
    step: 1,
    loss: 0.5,
    points: [],
    distances: [],
    agreement: null,
    outside: null,
    steps_per_s: 24,
    ...changes,
  };
}

/** Bytes that pass for a picture; the stubbed decoder reads nothing in them. */
export const PIXELS = new Uint8Array([0xff, 0xd8, 1, 2, 3]);

type Answers = {
  [K in Request["kind"]]?: (request: Extract<Request, { kind: K }>) => Partial<Reply>;
};

export class FakeKernel {
  readonly heard: FromPage[] = [];
  /** The bytes of each upload, by its number. */
  readonly files = new Map<number, number[]>();
  state = snapshot();
  answers: Answers = {};
  private seq = 0;

  constructor(readonly host: Host) {
    host.onSend = (message, buffers) => {
      if (message.kind === "chunk") {
        const file = this.files.get(message.upload) ?? [];
        if (file.length !== message.offset) throw new Error("a piece is out of order");
        this.files.set(message.upload, [...file, ...(buffers[0] ?? [])]);
      }
      this.receive(message);
    };
  }

  say(message: FromKernel, ...buffers: Uint8Array[]): void {
    this.host.deliver(message, buffers);
  }

  change(changes: Partial<Snapshot>): void {
    this.state = { ...this.state, ...changes, revision: this.state.revision + 1 };
    this.say(this.state);
  }

  frame(changes: Partial<Frame> = {}): void {
    this.say(frame({ seq: ++this.seq, ...changes }), PIXELS);
  }

  all<K extends FromPage["kind"]>(kind: K): Extract<FromPage, { kind: K }>[] {
    return this.heard.filter((m): m is Extract<FromPage, { kind: K }> => m.kind === kind);
  }

  last<K extends FromPage["kind"]>(kind: K): Extract<FromPage, { kind: K }> | undefined {
    return this.all(kind).at(-1);
  }

  private receive(message: FromPage): void {
    this.heard.push(message);
    if (message.kind === "ready") this.sendAll();
    else if (message.kind === "heartbeat") {
      this.say({ kind: "beat", revision: this.state.revision });
    } else if (message.kind !== "ack") this.answer(message);
  }

  protected sendAll(): void {
    this.say(this.state);
    this.say({ kind: "before", format: "image/webp" }, PIXELS);
    for (const { id } of this.state.history) {
      this.say({ kind: "thumbnail", entry: id, format: "image/webp" }, PIXELS);
    }
    this.frame({ final: true, format: "image/webp", step: null });
  }

  protected answer(message: Request): void {
    const answer = this.answers[message.kind] as ((request: Request) => Partial<Reply>) | undefined;
    const reply: Reply = {
      kind: "reply",
      id: message.id,
      ok: true,
      error: null,
      code: null,
      filename: null,
      models: null,
      ...answer?.(message),
    };
    if (reply.ok && message.kind === "set_points") this.change({ points: message.points });
    this.say(reply);
  }
}
