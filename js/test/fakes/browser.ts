// What jsdom lacks: decoding, observers, pointer capture, a canvas that draws.

import { inflateSync } from "node:zlib";
import { vi } from "vitest";

export interface Drawn {
  calls: string[];
}

/** Puts stand-ins for the missing parts of a browser in place. */
export function standIn(): void {
  vi.stubGlobal("createImageBitmap", async () => ({ width: 128, height: 128, close() {} }));
  vi.stubGlobal("ResizeObserver", StageSizes);
  vi.stubGlobal("IntersectionObserver", Sight);
  vi.stubGlobal("DecompressionStream", Inflater);
  URL.createObjectURL = () => "blob:picture";
  URL.revokeObjectURL = () => undefined;
  HTMLCanvasElement.prototype.getContext = () => null;
  Element.prototype.setPointerCapture = () => undefined;
  Element.prototype.getBoundingClientRect = () => new DOMRect(0, 0, STAGE, STAGE);
  Sight.all.clear();
}

/** The stage's width and height in CSS pixels; at 128 image pixels, 2 make one of them. */
export const STAGE = 256;

/** Node's works on a thread of its own, which pretended time doesn't wait for. */
class Inflater {
  private readonly pieces: Uint8Array[] = [];
  private readonly stream = new TransformStream<Uint8Array, Uint8Array>({
    transform: (piece) => void this.pieces.push(piece),
    flush: (controller) =>
      controller.enqueue(new Uint8Array(inflateSync(Buffer.concat(this.pieces)))),
  });
  readonly readable = this.stream.readable;
  readonly writable = this.stream.writable;
}

class StageSizes {
  constructor(private readonly callback: ResizeObserverCallback) {}
  observe(): void {
    const entry = { contentRect: { width: STAGE, height: STAGE } } as ResizeObserverEntry;
    this.callback([entry], this as unknown as ResizeObserver);
  }
  unobserve(): void {}
  disconnect(): void {}
}

/** An observer that sees everything until `scroll(false)`. */
class Sight {
  static readonly all = new Set<Sight>();
  constructor(private readonly callback: IntersectionObserverCallback) {
    Sight.all.add(this);
  }
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {
    Sight.all.delete(this);
  }
  tell(isIntersecting: boolean): void {
    const entry = { isIntersecting } as IntersectionObserverEntry;
    this.callback([entry], this as unknown as IntersectionObserver);
  }
}

/** Scrolls every widget into or out of sight. */
export function scroll(intoSight: boolean): void {
  for (const observer of Sight.all) observer.tell(intoSight);
}

/** A pointer event on an element, at image coordinates (two CSS pixels each). */
export function pointer(
  target: Element,
  type: string,
  [x, y]: readonly [number, number],
  init: PointerEventInit = {},
): void {
  const scale = STAGE / 128;
  target.dispatchEvent(
    new PointerEvent(type, {
      bubbles: true,
      cancelable: true,
      composed: true,
      pointerId: 1,
      pointerType: "mouse",
      clientX: x * scale,
      clientY: y * scale,
      ...init,
    }),
  );
}

export function click(
  target: Element,
  at: readonly [number, number],
  init?: PointerEventInit,
): void {
  pointer(target, "pointerdown", at, init);
  pointer(target, "pointerup", at, init);
}

export function drag(target: Element, path: readonly (readonly [number, number])[]): void {
  path.forEach((at, i) => {
    pointer(target, i === 0 ? "pointerdown" : "pointermove", at);
  });
  pointer(target, "pointerup", path.at(-1) ?? [0, 0]);
}

/** Presses a key on an element; returns whether somebody took it. */
export function press(target: Element, key: string, init: KeyboardEventInit = {}): boolean {
  const event = new KeyboardEvent("keydown", {
    key,
    bubbles: true,
    cancelable: true,
    composed: true,
    ...init,
  });
  target.dispatchEvent(event);
  return event.defaultPrevented;
}

export function release(target: Element, key: string): void {
  target.dispatchEvent(new KeyboardEvent("keyup", { key, bubbles: true, composed: true }));
}

/** The element with that test id. */
export function part<E extends HTMLElement = HTMLElement>(root: ParentNode, id: string): E {
  const found = root.querySelector<E>(`[data-testid="${id}"]`);
  if (found === null) throw new Error(`no element with the test id ${id}`);
  return found;
}
