// The canvas: sized in device pixels, and drawn at most once per animation frame, when what it shows
// has changed. A pointer that passes over it, or a slider beside it, changes much, but not that.
//
// What lies above the picture and can be focused or read out (points, outlines) is DOM. Drawing
// stands behind an interface: a test or a host without a 2D context gets a surface that draws
// nothing.

import type { AnyEditor } from "./editor";
import type { Picture } from "./pictures";
import type { Size, Viewport } from "./viewport";

/** From this many device pixels per image pixel on, pixels are shown as squares. */
const PIXELATED_FROM = 12;

export interface Surface {
  readonly context: CanvasRenderingContext2D;
  /** Device pixels that make an image pixel. */
  scale(): number;
  /** Clears all, and sets one unit to a CSS pixel. */
  clear(viewport: Viewport): void;
  /** Draws something of the image's shape where the viewport has the image. */
  put(source: CanvasImageSource, image: Size, smooth?: boolean): void;
}

/** What is on a canvas. */
export interface Scene {
  /** All that it depends on, beside viewport and image size; compared by `Object.is`. */
  contents(): readonly unknown[];
  draw(surface: Surface): void;
}

/** Redraws whenever the scene has changed; returns what ends it. */
export function keepDrawn(editor: AnyEditor, canvas: HTMLCanvasElement, scene: Scene): () => void {
  const { session, view } = editor;
  const context = canvas.getContext("2d");
  const surface = context && createSurface(context);
  let requested = 0;
  let drawn: readonly unknown[] | null = null;

  const draw = () => {
    requested = 0;
    if (surface === null) return;
    const { scale, x, y } = editor.viewport();
    const { width, height } = editor.imageSize();
    const now = [scale, x, y, width, height, ...scene.contents()];
    if (drawn !== null && now.every((one, i) => Object.is(one, drawn?.[i]))) return;
    drawn = now;
    scene.draw(surface);
  };
  const request = () => {
    if (requested === 0) requested = requestAnimationFrame(draw);
  };
  const requestAnew = () => {
    drawn = null;
    request();
  };

  const sized = new ResizeObserver(([entry]) => {
    if (entry === undefined) return;
    const { width, height } = entry.contentRect;
    const device = entry.devicePixelContentBoxSize?.[0];
    const deviceWidth = device?.inlineSize ?? Math.round(width * devicePixelRatio);
    const deviceHeight = device?.blockSize ?? Math.round(height * devicePixelRatio);
    if (width === 0 || height === 0) return;
    if (canvas.width !== deviceWidth) canvas.width = deviceWidth;
    if (canvas.height !== deviceHeight) canvas.height = deviceHeight;
    if (surface !== null) surface.ratio = deviceWidth / width;
    const { stage } = view.get();
    if (stage.width !== width || stage.height !== height) {
      view.dispatch({ stage: { width, height } });
    }
    // Resizing clears a canvas: draw before the browser paints.
    drawn = null;
    draw();
  });
  try {
    sized.observe(canvas, { box: "device-pixel-content-box" });
  } catch {
    sized.observe(canvas);
  }
  // JupyterLab detaches cells out of sight, and a canvas comes back blank.
  const seen = new IntersectionObserver(requestAnew);
  seen.observe(canvas);
  const unsubscribe = [session.store.subscribe(request), view.subscribe(request)];
  request();
  return () => {
    cancelAnimationFrame(requested);
    sized.disconnect();
    seen.disconnect();
    for (const end of unsubscribe) end();
  };
}

function createSurface(context: CanvasRenderingContext2D): Surface & { ratio: number } {
  let viewport: Viewport = { scale: 1, x: 0, y: 0 };
  const surface = {
    context,
    ratio: 1,
    scale: () => viewport.scale * surface.ratio,
    clear(now: Viewport) {
      viewport = now;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, context.canvas.width, context.canvas.height);
      context.setTransform(surface.ratio, 0, 0, surface.ratio, 0, 0);
    },
    put(source: CanvasImageSource, image: Size, smooth = surface.scale() < PIXELATED_FROM) {
      const { scale, x, y } = viewport;
      context.imageSmoothingEnabled = smooth;
      context.imageSmoothingQuality = "high";
      context.drawImage(source, x, y, image.width * scale, image.height * scale);
    },
  };
  return surface;
}

/** Whether pixels are shown as squares, so large are they. */
export function isPixelated(surface: Surface): boolean {
  return surface.scale() >= PIXELATED_FROM;
}

/** Whether a picture, or a smaller preview of it, fills the image without being stretched. */
export function isShaped(picture: Picture, image: Size): boolean {
  // One of another shape is the last of a generator that is gone.
  return picture.width * image.height === picture.height * image.width;
}

/** A canvas of RGBA pixels, to be drawn elsewhere; one that there is already is painted over. */
export function toCanvas(
  pixels: Uint8ClampedArray<ArrayBuffer>,
  { width, height }: Size,
  canvas: HTMLCanvasElement = document.createElement("canvas"),
): HTMLCanvasElement {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  return canvas;
}
