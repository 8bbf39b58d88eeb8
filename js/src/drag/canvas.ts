// The canvas: the picture and, over it, a veil on what may not move.
//
// Points and outlines are DOM elements above it, so that they can be focused and read out. Drawing
// stands behind an interface: a test or a host without a 2D context gets a surface that draws
// nothing.

import type { Picture } from "../shared/pictures";
import type { Size, Viewport } from "../shared/viewport";
import { type Mask, softened, tinted, veilOpacity } from "./mask";

export interface Scene {
  readonly picture: Picture | null;
  readonly image: Size;
  readonly viewport: Viewport;
  /** Null: no veil. */
  readonly mask: Mask | null;
}

export interface Surface {
  /** Sets the canvas's size in device pixels; `ratio` of them make a CSS pixel. */
  resize(deviceSize: Size, ratio: number): void;
  draw(scene: Scene): void;
}

/** Night blue at 38 %: dims any picture and leaves it readable. */
const VEIL = [11, 21, 38, 97] as const;

/** From this many device pixels per image pixel on, pixels are shown as squares. */
const PIXELATED_FROM = 12;

export function createSurface(canvas: HTMLCanvasElement): Surface {
  const context = canvas.getContext("2d");
  if (context === null) return { resize() {}, draw() {} };
  let ratio = 1;
  let veil: { mask: Mask; soft: boolean; image: HTMLCanvasElement } | null = null;

  const veilOf = (mask: Mask, soft: boolean): HTMLCanvasElement => {
    if (veil?.mask !== mask || veil.soft !== soft)
      veil = { mask, soft, image: drawVeil(mask, soft) };
    return veil.image;
  };

  return {
    resize({ width, height }, deviceRatio) {
      ratio = deviceRatio;
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
    },
    draw({ picture, image, viewport, mask }) {
      const { scale, x, y } = viewport;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      // One of another shape is the last of a generator that is gone.
      if (picture === null || !isShaped(picture, image)) return;
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const smooth = scale * ratio < PIXELATED_FROM;
      context.imageSmoothingEnabled = smooth;
      context.imageSmoothingQuality = "high";
      context.drawImage(picture.source, x, y, image.width * scale, image.height * scale);
      if (mask !== null) {
        // Stairs show where a pixel is large, yet not shown as a square.
        const soft = smooth && scale * ratio > 1.5;
        context.drawImage(veilOf(mask, soft), x, y, image.width * scale, image.height * scale);
      }
    },
  };
}

/** Whether a picture, or a smaller preview of it, fills the image without being stretched. */
function isShaped(picture: Size, image: Size): boolean {
  return picture.width * image.height === picture.height * image.width;
}

function drawVeil(mask: Mask, soft: boolean): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = mask.width;
  canvas.height = mask.height;
  const sharp = veilOpacity(mask);
  const pixels = tinted(soft ? softened(sharp, mask) : sharp, VEIL);
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, mask.width, mask.height), 0, 0);
  return canvas;
}
