// A pretended kernel for the painter: strokes are painted for real, and the picture "follows" by
// fading into one that is drawn from the painted map.

import { type PartMap, type Stroke, withStroke } from "../src/paint/labels";
import type {
  Frame,
  FromKernel,
  Option,
  Reply,
  Request,
  Snapshot,
  Vector,
} from "../src/shared/protocol.gen";
import { DemoKernel } from "./kernel";
import { DEMO_PARTS, type Face, faceMap, portrait, SIDE } from "./portrait";

const STEPS = 100;
const STEP_MS = 40;
const LIVE_AFTER_MS = 300;

interface Shot {
  id: number;
  label: string;
  labels: Uint8Array;
}

const vector = (name: string, classes: string[], packaged = true): Vector => ({
  name,
  classes,
  scale_low: -2,
  scale_high: 2,
  packaged,
});

const option = (name: string, label: string, symbol: string, value: number): Option => ({
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
  integer: name === "max_steps",
  scale: name === "learning_rate" ? "log" : "linear",
  automatic: null,
});

const map = (labels: Uint8Array): PartMap => ({ width: SIDE, height: SIDE, labels });

export class DemoPainter extends DemoKernel {
  private shots: Shot[] = [];
  private at = 0;
  private maps: Uint8Array[] = [];
  private stroke = 0;
  private version = 0;
  private live = false;
  private face: Face = { smile: 0, mouth: 0, eyes: 0, fringe: 0 };
  private scales: Record<string, number> = {};
  private following: { step: number; timer: number } | null = null;
  private soon = 0;
  private readonly mirrored = DEMO_PARTS.map(({ mirrored }) => mirrored);
  private paintOptions: Snapshot["paint_options"] = {
    learning_rate: 0.02,
    max_steps: STEPS,
    perceptual_weight: 10,
  };
  private vectors = [
    vector("smile", ["lips", "inner_mouth"]),
    vector("open_mouth", ["lips", "inner_mouth"]),
    vector("bigger_eyes", ["left_sclera", "right_sclera"]),
    vector("fringe", ["hair"]),
    vector("my_brows", ["left_brow", "right_brow"], false),
  ];

  constructor() {
    super();
    this.shots = [{ id: 0, label: "seed 11", labels: faceMap(this.face) }];
    this.found();
  }

  override async save() {
    this.traits.saved = this.snapshot();
    this.traits.still = new DataView(await (await this.picture("image/png")).arrayBuffer());
  }

  /** Everything starts from the present picture's own map. */
  private found() {
    this.maps = [this.present.labels];
    this.stroke = 0;
    this.version += 1;
  }

  private get present(): Shot {
    return this.shots[this.at] as Shot;
  }

  private get edited(): Uint8Array {
    return this.maps[this.stroke] as Uint8Array;
  }

  protected override async act(message: Request, reply: Reply, buffers: ArrayBuffer[]) {
    switch (message.kind) {
      case "paint_labels":
      case "move_part":
        return this.paint(
          withStroke(map(this.edited), this.original, message as Stroke, this.mirrored),
        );
      case "edit_labels":
        return this.paint(this.original);
      case "set_live":
        this.live = message.live;
        return this.changed();
      case "set_paint_options":
        Object.assign(this.paintOptions, message.options);
        return this.changed();
      case "start_paint":
        if (this.edited.every((label, i) => label === this.maps[0]?.[i])) {
          throw new Error("The painted parts are those of the picture: paint something first.");
        }
        return this.follow();
      case "start_refine":
        return this.follow();
      case "stop":
        return this.rest("Stopped.");
      case "slide":
        this.scales = message.scales;
        return this.slid();
      case "learn_vector":
        this.vectors.push(vector(message.name, ["lips"], false));
        return this.sendVectors();
      case "forget_vector":
        this.vectors = this.vectors.filter(({ name }) => name !== message.name);
        return this.sendVectors();
      case "undo":
        if (this.stroke > 0) this.stroke -= 1;
        else return this.goToShot(this.at - 1);
        return this.repainted();
      case "redo":
        if (this.stroke < this.maps.length - 1) this.stroke += 1;
        else return this.goToShot(this.at + 1);
        return this.repainted();
      case "go_to":
        return this.goToShot(message.index);
      case "reset":
        return this.goToShot(0);
      case "sample":
        this.seed = message.seed;
        this.truncation = message.truncation;
        this.scales = {};
        this.shots = [{ id: Date.now(), label: `seed ${this.seed}`, labels: faceMap(this.face) }];
        return this.goToShot(0);
      case "get_png":
        reply.filename = "toonfaces-seed11.png";
        buffers.push(await (await this.picture("image/png")).arrayBuffer());
        return;
      default:
        return super.act(message, reply, buffers);
    }
  }

  private get original(): PartMap {
    return map(this.maps[0] as Uint8Array);
  }

  private paint({ labels }: PartMap) {
    this.maps = [...this.maps.slice(0, this.stroke + 1), labels];
    this.stroke += 1;
    if (this.live) {
      clearTimeout(this.soon);
      this.soon = window.setTimeout(() => this.follow(), LIVE_AFTER_MS);
    }
    return this.repainted();
  }

  private async repainted() {
    this.version += 1;
    await this.sendLabels(false);
    this.changed();
  }

  private slid() {
    const { smile = 0, open_mouth = 0, bigger_eyes = 0, fringe = 0 } = this.scales;
    const face = { smile, mouth: Math.max(0, open_mouth), eyes: bigger_eyes, fringe };
    const labels = faceMap(face);
    if (!this.present.label.startsWith("slide")) this.push("slide", labels);
    else this.present.labels = labels;
    return this.rested();
  }

  private push(label: string, labels: Uint8Array) {
    this.shots = [...this.shots.slice(0, this.at + 1), { id: Date.now(), label, labels }];
    this.at = this.shots.length - 1;
  }

  private follow() {
    if (this.following !== null) clearInterval(this.following.timer);
    this.status = { kind: "status", level: "busy", text: "" };
    this.following = { step: 0, timer: window.setInterval(() => this.forward(), STEP_MS) };
    this.changed();
  }

  private forward() {
    if (this.following === null) return;
    this.following.step += 1;
    void this.sendPicture("image/jpeg");
    if (this.following.step >= STEPS) void this.rest("Done.");
  }

  private rest(text: string) {
    if (this.following === null) return;
    clearInterval(this.following.timer);
    this.status = { kind: "status", level: "info", text };
    this.push(`paint, ${this.following.step} steps`, this.edited);
    this.following = null;
    return this.rested();
  }

  private goToShot(index: number) {
    if (this.following !== null) clearInterval(this.following.timer);
    this.following = null;
    this.at = Math.min(Math.max(index, 0), this.shots.length - 1);
    if (!this.present.label.startsWith("slide")) this.scales = {};
    return this.rested();
  }

  private async rested() {
    this.found();
    await this.sendLabels(true);
    await this.sendLabels(false);
    this.changed();
    await this.sendPicture("image/webp");
    await this.sendShots();
  }

  // ------------------------------------------------------------------------------------- sending

  protected override async sendAll() {
    const send = (message: FromKernel, ...buffers: ArrayBuffer[]) => this.send(message, ...buffers);
    send({ kind: "parts", parts: DEMO_PARTS });
    await this.sendLabels(true);
    await this.sendLabels(false);
    this.changed();
    this.sendVectors();
    const [first] = this.shots;
    const before = await portrait(
      first?.labels ?? this.edited,
      this.edited,
      0,
      this.hue,
      "image/png",
    );
    send({ kind: "before", format: "image/png" }, await before.arrayBuffer());
    await this.sendShots();
    await this.sendPicture("image/webp");
  }

  private sendVectors() {
    this.send(
      { kind: "vectors", vectors: this.vectors },
      ...this.vectors.map(() => new ArrayBuffer(0)),
    );
  }

  private async sendLabels(original: boolean) {
    const labels = original ? this.original.labels : this.edited;
    const stream = new Blob([labels as Uint8Array<ArrayBuffer>])
      .stream()
      .pipeThrough(new CompressionStream("deflate"));
    const bytes = await new Response(stream).arrayBuffer();
    this.send(
      { kind: "labels", version: this.version, width: SIDE, height: SIDE, original },
      bytes,
    );
  }

  private async sendShots() {
    for (const { id, labels } of this.shots) {
      const picture = await portrait(labels, labels, 0, this.hue, "image/png");
      this.send({ kind: "thumbnail", entry: id, format: "image/png" }, await picture.arrayBuffer());
    }
  }

  private get hue() {
    return ((this.seed - 11) * 47) % 90;
  }

  private get progress() {
    return this.following === null ? 0 : 1 - Math.exp(-this.following.step / 20);
  }

  private picture(type: string) {
    return portrait(this.present.labels, this.edited, this.progress, this.hue, type);
  }

  private async sendPicture(format: Frame["format"]) {
    const { progress } = this;
    const step = this.following?.step ?? null;
    const picture = await this.picture(format);
    this.send(
      {
        kind: "frame",
        seq: this.seq++,
        final: format !== "image/jpeg",
        format,
        width: SIDE,
        height: SIDE,
        step,
        loss: 1 - progress,
        points: [],
        distances: [],
        agreement: step === null ? null : 0.35 + 0.5 * progress,
        outside: step === null ? null : 0.009 * progress,
        steps_per_s: 1000 / STEP_MS,
      },
      await picture.arrayBuffer(),
    );
  }

  protected override snapshot(): Snapshot {
    return {
      ...super.snapshot(),
      model: { name: "toonfaces-128", width: SIDE, height: SIDE, num_ws: 12, num_labels: 0 },
      labels_version: this.version,
      strokes: this.stroke,
      strokes_ahead: this.maps.length - 1 - this.stroke,
      live: this.live,
      paint_options: this.paintOptions,
      paint_schema: [
        option("learning_rate", "Step size", "η", 0.02),
        option("max_steps", "Steps", "", STEPS),
        option("perceptual_weight", "Perceptual weight", "", 10),
      ],
      scales: this.scales,
      method: this.following === null ? null : "paint",
      running: this.following !== null,
      progress: null,
      history: this.shots.map(({ id, label }) => ({ id, label })),
      cursor: this.at,
    };
  }
}
