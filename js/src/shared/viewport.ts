// The viewport: which part of the image the stage shows, and how large.
//
// Image coordinates are output-image pixels (x, y) with pixel centres at +0.5; stage coordinates
// are CSS pixels from the stage's top left corner. stage = image * scale + offset.

export type Point = readonly [x: number, y: number];

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Viewport {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

/** At most this many CSS pixels show one image pixel. */
const MAX_SCALE = 64;
/** At least this many CSS pixels of the image stay in sight. */
const KEEP_IN_SIGHT = 32;

/** The whole image, centred. */
export function fitTo(image: Size, stage: Size): Viewport {
  return centred(Math.min(stage.width / image.width, stage.height / image.height), image, stage);
}

/** One image pixel per CSS pixel, centred. */
export function actualSize(image: Size, stage: Size): Viewport {
  return centred(1, image, stage);
}

function centred(scale: number, image: Size, stage: Size): Viewport {
  return {
    scale,
    x: (stage.width - image.width * scale) / 2,
    y: (stage.height - image.height * scale) / 2,
  };
}

export function toStage(viewport: Viewport, [x, y]: Point): Point {
  return [x * viewport.scale + viewport.x, y * viewport.scale + viewport.y];
}

export function toImage(viewport: Viewport, [x, y]: Point): Point {
  return [(x - viewport.x) / viewport.scale, (y - viewport.y) / viewport.scale];
}

/** Scales by `factor` and leaves the image point under `anchor` (stage coordinates) in place. */
export function zoomAt(
  viewport: Viewport,
  factor: number,
  anchor: Point,
  image: Size,
  stage: Size,
): Viewport {
  const least = Math.min(1, fitTo(image, stage).scale);
  const scale = clamp(viewport.scale * factor, least, MAX_SCALE);
  const [x, y] = toImage(viewport, anchor);
  return keepInSight({ scale, x: anchor[0] - x * scale, y: anchor[1] - y * scale }, image, stage);
}

export function panBy(viewport: Viewport, [dx, dy]: Point, image: Size, stage: Size): Viewport {
  return keepInSight({ ...viewport, x: viewport.x + dx, y: viewport.y + dy }, image, stage);
}

/** An image smaller than the stage stays centred; a larger one cannot be pushed out of sight. */
function keepInSight({ scale, x, y }: Viewport, image: Size, stage: Size): Viewport {
  const along = (offset: number, length: number, room: number) => {
    const shown = length * scale;
    if (shown <= room) return (room - shown) / 2;
    return clamp(offset, KEEP_IN_SIGHT - shown, room - KEEP_IN_SIGHT);
  };
  return {
    scale,
    x: along(x, image.width, stage.width),
    y: along(y, image.height, stage.height),
  };
}

/** The point, or the nearest one inside the image. */
export function clampToImage([x, y]: Point, image: Size): Point {
  return [clamp(x, 0, image.width), clamp(y, 0, image.height)];
}

export function isInside([x, y]: Point, image: Size): boolean {
  return x >= 0 && y >= 0 && x <= image.width && y <= image.height;
}

export function distance([ax, ay]: Point, [bx, by]: Point): number {
  return Math.hypot(ax - bx, ay - by);
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
