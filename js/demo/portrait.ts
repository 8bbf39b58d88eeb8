// A portrait drawn from a map of its parts, for the painter's pretended kernel.

import type { PaintedPart } from "../src/shared/protocol.gen";

export const SIDE = 128;

const PARTS: readonly [name: string, colour: string, painted: string][] = [
  ["background", "#e6e6eb", "#7a92ba"],
  ["hair", "#7a5030", "#6d2c16"],
  ["neck", "#c29580", "#b78f74"],
  ["shirt", "#7aaadc", "#4cbfbd"],
  ["left_ear", "#dc9678", "#c9a184"],
  ["right_ear", "#e3a287", "#c9a184"],
  ["skin", "#f0bfa2", "#d9b394"],
  ["nose", "#e6a98a", "#cba283"],
  ["left_sclera", "#fdfdfd", "#f4f4f4"],
  ["left_iris", "#4682b4", "#2f7d3b"],
  ["right_sclera", "#f2f6fa", "#f4f4f4"],
  ["right_iris", "#5a96c8", "#2f7d3b"],
  ["left_brow", "#50301e", "#4a2110"],
  ["right_brow", "#644129", "#4a2110"],
  ["lips", "#c85064", "#c8423a"],
  ["inner_mouth", "#5a1420", "#4b1210"],
];

const place = (name: string) => PARTS.findIndex(([one]) => one === name);

export const DEMO_PARTS: PaintedPart[] = PARTS.map(([name, colour], part) => {
  const other = name.startsWith("left_")
    ? place(name.replace("left", "right"))
    : place(name.replace("right", "left"));
  return { name, colour, mirrored: other < 0 ? part : other };
});

/** What the sliders change. */
export interface Face {
  smile: number;
  mouth: number;
  eyes: number;
  fringe: number;
}

/** The part map of a face, drawn from back to front. */
export function faceMap({ smile, mouth, eyes, fringe }: Face): Uint8Array {
  const labels = new Uint8Array(SIDE * SIDE);
  const put = (name: string, covers: (x: number, y: number) => boolean) => {
    const part = place(name);
    for (let i = 0; i < labels.length; i++) {
      if (covers((i % SIDE) + 0.5, Math.floor(i / SIDE) + 0.5)) labels[i] = part;
    }
  };
  const disc = (cx: number, cy: number, rx: number, ry: number) => (x: number, y: number) =>
    ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1;
  put("shirt", disc(64, 132, 48, 20));
  put("hair", disc(64, 55, 39, 44));
  put("hair", (x, y) => Math.abs(x - 64) < 38.5 && y > 55 && y < 105);
  put("neck", (x, y) => Math.abs(x - 64) < 14 && y > 95 && y < 122);
  put("left_ear", disc(29, 66, 5, 10));
  put("right_ear", disc(99, 66, 5, 10));
  put("skin", disc(64, 68, 34, 39));
  put("hair", (x, y) => disc(64, 50, 36, 36)(x, y) && y < 42 + 8 * fringe + ((x - 64) / 14) ** 2);
  put("nose", disc(64, 72, 4.5, 5.5));
  for (const [side, cx] of [
    ["left", 51.5],
    ["right", 76.5],
  ] as const) {
    put(`${side}_brow`, (x, y) => Math.abs(x - cx) < 9 && Math.abs(y - 50) < 1.6);
    put(`${side}_sclera`, disc(cx, 58, 8.5, 4 + 2.2 * eyes));
    put(`${side}_iris`, disc(cx, 58, 4, 4 + 0.6 * eyes));
  }
  const bend = (x: number) => 89 + 2 * smile - (smile * 4 * (x - 64) ** 2) / 130;
  const gap = Math.max(0.4, 0.8 + 4 * mouth);
  put("lips", (x, y) => disc(64, 0, 14 + 2 * smile, gap + 3)(x, y - bend(x)));
  put("inner_mouth", (x, y) => disc(64, 0, 11 + 2 * smile, gap)(x, y - bend(x)));
  return labels;
}

/** A picture of it: softened and lit, `progress` of the way from one map to another. */
export async function portrait(
  from: Uint8Array,
  to: Uint8Array,
  progress: number,
  hue: number,
  type: string,
): Promise<Blob> {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no 2D context");
  context.filter = "blur(0.55px)";
  context.drawImage(await painted(from, hue), 0, 0);
  context.globalAlpha = progress;
  if (progress > 0) context.drawImage(await painted(to, hue), 0, 0);
  context.globalAlpha = 1;
  context.filter = "none";
  const light = context.createRadialGradient(52, 40, 10, 64, 70, 100);
  light.addColorStop(0, "rgb(255 244 226 / 18%)");
  light.addColorStop(1, "rgb(16 20 48 / 30%)");
  context.fillStyle = light;
  context.fillRect(0, 0, SIDE, SIDE);
  return canvas.convertToBlob({ type, quality: 0.85 });
}

function painted(labels: Uint8Array, hue: number): Promise<ImageBitmap> {
  const pixels = new Uint8ClampedArray(labels.length * 4);
  labels.forEach((label, i) => {
    const value = Number.parseInt((PARTS[label]?.[2] ?? "#000000").slice(1), 16);
    const shade = 1 - (Math.floor(i / SIDE) / SIDE) * 0.25;
    const turn = label === 0 ? hue : 0;
    pixels.set(
      [
        shade * ((value >> 16) & 255) + turn,
        shade * ((value >> 8) & 255),
        shade * (value & 255),
        255,
      ],
      i * 4,
    );
  });
  return createImageBitmap(new ImageData(pixels, SIDE, SIDE));
}
