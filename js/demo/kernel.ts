// A pretended kernel: speaks the protocol, "drags" by drawing a face whose mouth follows.

import { type Mask, type MaskTool, withStroke } from "../src/drag/mask";
import {
  type Frame,
  type FromKernel,
  type FromPage,
  type Option,
  type Pair,
  PROTOCOL,
  type Reply,
  type Request,
  type Snapshot,
} from "../src/shared/protocol.gen";

export const SIZE = 256;
const STEP_MS = 40;

const number = (
  name: string,
  label: string,
  symbol: string,
  value: number,
  rest: object,
): Option => ({
  kind: "number",
  name,
  label,
  symbol,
  unit: "",
  help: `${label}, as in the paper.`,
  default: value,
  min: 0,
  max: 1000,
  step: 1,
  integer: false,
  scale: "linear",
  automatic: null,
  ...rest,
});

const SCHEMA: Option[] = [
  {
    kind: "choice",
    name: "space",
    label: "Latent space",
    symbol: "",
    help: "W+ moves each layer's vector by itself, W all together.",
    default: "w+",
    choices: [
      { value: "w+", label: "W+" },
      { value: "w", label: "W" },
    ],
  },
  number("learning_rate", "Step size", "η", 2e-3, { min: 1e-5, max: 1, scale: "log" }),
  number("mask_weight", "Mask weight", "λ", 20, {}),
  number("patch_radius", "Patch radius", "r₁", 3, { unit: "px" }),
  number("search_radius", "Search radius", "r₂", 12, { unit: "px" }),
  number("tolerance", "Stop within", "", 1, { default: null, automatic: "auto", unit: "px" }),
  number("max_steps", "Step limit", "", 300, { integer: true }),
  {
    kind: "switch",
    name: "tracking",
    label: "Point tracking",
    symbol: "",
    help: "Off shows why it is needed.",
    default: true,
  },
];

interface Edit {
  id: number;
  label: string;
  mouth: number;
  points: Pair[];
}

export class DemoKernel {
  traits: Record<string, unknown> = {};
  received: FromPage[] = [];
  private listeners = new Set<(message: unknown, buffers: DataView[]) => void>();
  private edits: Edit[] = [{ id: 0, label: "seed 11", mouth: 0, points: [] }];
  private cursor = 0;
  protected revision = 0;
  protected seq = 0;
  protected seed = 11;
  protected truncation = 0.7;
  private points: Pair[] = [];
  private mask: Mask | null = null;
  private options: Record<string, number | string | boolean | null> = {
    space: "w+",
    learning_rate: 2e-3,
    mask_weight: 20,
    patch_radius: 3,
    search_radius: 12,
    tolerance: null,
    max_steps: 300,
    tracking: true,
  };
  protected status: Snapshot["status"] = { kind: "status", level: "info", text: "" };
  private run: { step: number; mouth: number; points: Pair[]; timer: number } | null = null;

  /** What the page gets as its anywidget model. */
  model(alive: boolean) {
    return {
      get: (name: string) => this.traits[name],
      set: () => undefined,
      save_changes: () => undefined,
      on: (event: string, callback: never) => {
        if (event === "msg:custom") this.listeners.add(callback);
      },
      off: (event: string, callback: never) => {
        if (event === "msg:custom") this.listeners.delete(callback);
      },
      send: (message: FromPage) => {
        if (!alive) return;
        setTimeout(() => void this.receive(structuredClone(message)), 4);
      },
    };
  }

  /** Fills the traits that a saved notebook has. */
  async save() {
    this.points = [[97, 171, 84, 152]];
    this.traits.saved = this.snapshot();
    this.traits.still = new DataView(await (await drawing(0.2, this.seed)).arrayBuffer());
  }

  private async receive(message: FromPage) {
    this.received.push(message);
    switch (message.kind) {
      case "ready":
        return this.sendAll();
      case "heartbeat":
        return this.send({ kind: "beat", revision: this.revision });
      case "ack":
        return;
    }
    const reply: Reply = {
      kind: "reply",
      id: message.id,
      ok: true,
      error: null,
      code: null,
      filename: null,
      models: null,
    };
    const buffers: ArrayBuffer[] = [];
    try {
      await this.act(message, reply, buffers);
    } catch (error) {
      Object.assign(reply, { ok: false, error: (error as Error).message });
    }
    this.send(reply, ...buffers);
  }

  protected async act(message: Request, reply: Reply, buffers: ArrayBuffer[]) {
    switch (message.kind) {
      case "set_points":
        this.points = message.points;
        return this.changed();
      case "paint_mask":
        this.mask = withStroke(
          this.mask,
          { tool: message.tool as MaskTool, radius: message.radius, path: message.path },
          { width: SIZE, height: SIZE },
        );
        return this.sendMask();
      case "edit_mask":
        if (message.op === "invert") this.mask = this.mask && invert(this.mask);
        else this.mask = null;
        return this.sendMask();
      case "set_options":
        for (const [name, value] of Object.entries(message.options)) {
          if (typeof value === "number" && value < 0) {
            throw new Error(`${name}=${value} must be positive; the default is 2e-3.`);
          }
          this.options[name] = value;
        }
        return this.changed();
      case "sample":
        this.seed = message.seed;
        this.truncation = message.truncation;
        this.edits = [
          { id: this.edits.length + 100, label: `seed ${this.seed}`, mouth: 0, points: [] },
        ];
        this.cursor = 0;
        this.points = [];
        return this.sendAll();
      case "start":
        if (this.points.length === 0) {
          throw new Error("No points: click a handle and its target first.");
        }
        return this.start();
      case "stop":
        return this.end("Stopped.");
      case "reset":
        return this.goTo(0);
      case "undo":
        return this.goTo(this.cursor - 1);
      case "redo":
        return this.goTo(this.cursor + 1);
      case "go_to":
        return this.goTo(message.index);
      case "get_code":
        reply.code = `import nbdrag\n\nG = nbdrag.load_generator("toonfaces-128")\n`;
        return;
      case "get_png":
        reply.filename = "toonfaces-seed11.png";
        buffers.push(await (await drawing(this.mouth, this.seed)).arrayBuffer());
    }
  }

  private get mouth() {
    return this.run?.mouth ?? this.edits[this.cursor]?.mouth ?? 0;
  }

  private start() {
    this.status = { kind: "status", level: "busy", text: "" };
    this.run = { step: 0, mouth: this.mouth, points: structuredClone(this.points), timer: 0 };
    this.run.timer = window.setInterval(() => void this.step(), STEP_MS);
    this.changed();
  }

  private async step() {
    const { run } = this;
    if (run === null) return;
    run.step += 1;
    run.mouth += 0.012;
    run.points = run.points.map(([hx, hy, tx, ty]) => [
      hx + (tx - hx) * 0.03 + Math.sin(run.step) * 0.15,
      hy + (ty - hy) * 0.03,
      tx,
      ty,
    ]);
    await this.sendFrame("image/jpeg");
    if (run.points.every((pair) => gap(pair) < 1) || run.step >= 300) this.end("Arrived.");
  }

  private end(text: string) {
    const { run } = this;
    if (run === null) return;
    clearInterval(run.timer);
    this.run = null;
    this.points = run.points;
    this.edits = [
      ...this.edits.slice(0, this.cursor + 1),
      { id: Date.now(), label: `drag, ${run.step} steps`, mouth: run.mouth, points: run.points },
    ];
    this.cursor = this.edits.length - 1;
    this.status = { kind: "status", level: "info", text };
    this.changed();
    void this.sendFrame("image/webp", run.step);
    void this.sendThumbnail(this.cursor);
  }

  private goTo(index: number) {
    this.end("Stopped.");
    this.cursor = Math.min(Math.max(index, 0), this.edits.length - 1);
    this.points = this.edits[this.cursor]?.points ?? [];
    this.changed();
    void this.sendFrame("image/webp");
  }

  // ------------------------------------------------------------------------------------- sending

  protected send(message: FromKernel, ...buffers: ArrayBuffer[]) {
    const views = buffers.map((buffer) => new DataView(buffer));
    for (const listener of this.listeners) listener(structuredClone(message), views);
  }

  protected changed() {
    this.revision += 1;
    this.send(this.snapshot());
  }

  protected async sendAll() {
    this.changed();
    this.sendMask();
    const before = await drawing(this.edits[0]?.mouth ?? 0, this.seed);
    this.send({ kind: "before", format: "image/png" }, await before.arrayBuffer());
    for (const index of this.edits.keys()) await this.sendThumbnail(index);
    await this.sendFrame("image/webp");
  }

  private sendMask() {
    const { mask } = this;
    const packed = new Uint8Array((SIZE * SIZE) / 8);
    mask?.bits.forEach((bit, i) => {
      packed[i >> 3] = (packed[i >> 3] ?? 0) | (bit << (i & 7));
    });
    const header = { kind: "mask", version: this.revision, width: SIZE, height: SIZE } as const;
    this.send({ ...header, everywhere: mask === null }, ...(mask ? [packed.buffer] : []));
  }

  private async sendFrame(format: Frame["format"], step = this.run?.step ?? null) {
    const points = this.run?.points ?? this.points;
    const header: Frame = {
      kind: "frame",
      seq: this.seq++,
      final: format !== "image/jpeg",
      format,
      width: SIZE,
      height: SIZE,
      step,
      loss: 1,
      points,
      distances: points.map(gap),
      agreement: null,
      outside: null,
      steps_per_s: 1000 / STEP_MS,
    };
    const picture = await drawing(this.mouth, this.seed, format);
    this.send(header, await picture.arrayBuffer());
  }

  private async sendThumbnail(index: number) {
    const edit = this.edits[index];
    if (!edit) return;
    const picture = await drawing(edit.mouth, this.seed);
    this.send(
      { kind: "thumbnail", entry: edit.id, format: "image/png" },
      await picture.arrayBuffer(),
    );
  }

  protected snapshot(): Snapshot {
    return {
      kind: "snapshot",
      protocol: PROTOCOL,
      revision: this.revision,
      model: { name: "toonfaces-128", width: SIZE, height: SIZE, num_ws: 12, num_labels: 0 },
      seed: this.seed,
      truncation: this.truncation,
      label: null,
      points: this.points,
      mask_version: this.revision,
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
      drag_methods: [{ name: "drag", title: "DragGAN", help: "", missing: null }],
      options: this.options,
      schema: SCHEMA,
      running: this.run !== null,
      progress: {
        step: this.run?.step ?? 0,
        max_steps: 300,
        loss: 1,
        distances: [],
        agreement: null,
        outside: null,
        steps_per_s: 25,
      },
      history: this.edits.map(({ id, label }) => ({ id, label })),
      cursor: this.cursor,
      status: this.status,
      loading: null,
      previous: null,
    };
  }
}

function invert(mask: Mask): Mask {
  return { ...mask, bits: mask.bits.map((bit) => 1 - bit) };
}

function gap([hx, hy, tx, ty]: Pair): number {
  return Math.hypot(hx - tx, hy - ty);
}

/** A face in the manner of toonfaces, the mouth opened by `mouth`. */
async function drawing(mouth: number, seed: number, type = "image/png"): Promise<Blob> {
  const canvas = new OffscreenCanvas(SIZE, SIZE);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no 2D context");
  const hue = (seed * 47) % 360;
  const blob = (colour: string, x: number, y: number, rx: number, ry: number) => {
    context.fillStyle = colour;
    context.beginPath();
    context.ellipse(x, y, rx, ry, 0, 0, 7);
    context.fill();
  };
  const gradient = context.createLinearGradient(0, 0, 0, SIZE);
  gradient.addColorStop(0, `hsl(${hue} 35% 60%)`);
  gradient.addColorStop(1, `hsl(${hue} 25% 45%)`);
  context.fillStyle = gradient;
  context.fillRect(0, 0, SIZE, SIZE);
  blob("#4cbfbd", 128, 262, 96, 34);
  blob("#5d2a18", 128, 106, 79, 86);
  context.fillStyle = "#5d2a18";
  context.fillRect(51, 106, 154, 104);
  context.fillStyle = "#c7a283";
  context.fillRect(100, 180, 56, 52);
  blob("#d9b394", 128, 136, 68, 78);
  blob("#7a3c22", 128, 78, 66, 42);
  blob("#d9b394", 128, 112, 64, 22);
  for (const side of [-1, 1]) {
    blob("#fff", 128 + side * 25, 115, 17, 8);
    blob("#3c8f3a", 128 + side * 25, 115, 8, 8);
    blob("#111", 128 + side * 25, 115, 4, 4);
  }
  blob("#c79c7c", 128, 142, 10, 11);
  blob("#c8423a", 128, 172, 31, 6 + mouth * 14);
  blob("#5b1512", 128, 172, 25, 1 + mouth * 12);
  return canvas.convertToBlob({ type, quality: 0.85 });
}
