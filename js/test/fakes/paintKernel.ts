// A painter's kernel for tests: paints for real, and has four parts on a map of 128 x 128.

import { deflateSync } from "node:zlib";
import { type PartMap, type Stroke, withStroke } from "../../src/paint/labels";
import type { PaintedPart, Request, Snapshot, Vector } from "../../src/shared/protocol.gen";
import type { Host } from "./hosts";
import { FakeKernel } from "./kernel";

const SIDE = 128;

export const PARTS: PaintedPart[] = [
  { name: "background", colour: "#e6e6eb", mirrored: 0 },
  { name: "skin", colour: "#f0bfa2", mirrored: 1 },
  { name: "left_eye", colour: "#4682b4", mirrored: 3 },
  { name: "right_eye", colour: "#5a96c8", mirrored: 2 },
];

export const vector = (name: string, packaged = true): Vector => ({
  name,
  classes: ["skin"],
  scale_low: -2,
  scale_high: 2,
  packaged,
});

/** A face of skin from 32 to 96 with a square eye on either side. */
function face(): Uint8Array {
  const within = (value: number, low: number, high: number) => value >= low && value < high;
  return Uint8Array.from({ length: SIDE * SIDE }, (_, i) => {
    const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
    if (within(y, 48, 56) && within(x, 44, 52)) return 2;
    if (within(y, 48, 56) && within(x, 76, 84)) return 3;
    return within(x, 32, 96) && within(y, 32, 96) ? 1 : 0;
  });
}

const map = (labels: Uint8Array): PartMap => ({ width: SIDE, height: SIDE, labels });

/** As the kernel sends a map. */
export function deflated(labels: Uint8Array): ArrayBuffer {
  return new Uint8Array(deflateSync(labels)).buffer;
}

export class FakePaintKernel extends FakeKernel {
  readonly original = map(face());
  edited = this.original;
  parts = PARTS;
  vectors: Vector[] = [vector("smile"), vector("eyes"), vector("mine", false)];
  /** Set to have maps come later than the answers to what made them. */
  mapsWait = false;

  constructor(host: Host) {
    super(host);
    this.state = { ...this.state, labels_version: 1 };
  }

  /** The part painted at a pixel, as the kernel has it. */
  partAt(x: number, y: number): string | undefined {
    return this.parts[this.edited.labels[y * SIDE + x] ?? -1]?.name;
  }

  sayMap(original = false): void {
    const version = this.state.labels_version ?? 0;
    const { labels } = original ? this.original : this.edited;
    this.say(
      { kind: "labels", version, width: SIDE, height: SIDE, original },
      new Uint8Array(deflated(labels)),
    );
  }

  sayVectors(...previews: Uint8Array[]): void {
    this.say({ kind: "vectors", vectors: this.vectors }, ...previews);
  }

  protected override sendAll(): void {
    this.say({ kind: "parts", parts: this.parts });
    if (this.state.labels_version !== null) {
      this.sayMap(true);
      this.sayMap();
    }
    this.sayVectors(...this.vectors.map(() => new Uint8Array()));
    super.sendAll();
  }

  protected override answer(message: Request): void {
    if (this.answers[message.kind] === undefined) {
      if (message.kind === "paint_labels" || message.kind === "move_part")
        this.paint(message as Stroke);
      if (message.kind === "slide") this.change({ scales: message.scales });
      if (message.kind === "set_live") this.change({ live: message.live });
    }
    super.answer(message);
  }

  private paint(stroke: Stroke): void {
    const mirrored = this.parts.map((part) => part.mirrored);
    this.edited = withStroke(this.edited, this.original, stroke, mirrored);
    this.repainted({ strokes: this.state.strokes + 1 });
  }

  repainted(changes: Partial<Snapshot>): void {
    const version = (this.state.labels_version ?? 0) + 1;
    this.state = { ...this.state, labels_version: version };
    if (!this.mapsWait) this.sayMap();
    this.change(changes);
  }
}
