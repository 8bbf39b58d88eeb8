// Pointers on the stage: mouse, pen and fingers become gestures; wheel and two fingers move the
// view.

import type { AnyEditor } from "./editor";
import type { Gestures } from "./gestures";
import { distance, type Point, panBy, toImage, zoomAt } from "./viewport";

/** How far from a point's centre it can be taken hold of, in CSS pixels. */
const REACH = { mouse: 12, pen: 14, touch: 22 };
const LONG_PRESS_MS = 500;
/** `event.button`; the others open menus or go back a page. */
const PRIMARY = 0;
const MIDDLE = 1;
const PEN_ERASER = 5;
/** `event.buttons` of a pen turned around. */
const PEN_ERASER_DOWN = 32;

/** Opens the context menu of what lies at a point, within a distance in image pixels, if any. */
export type OpenMenu = (at: Point, within: number, onStage: Point) => void;

export function listenToPointers(
  stage: HTMLElement,
  editor: AnyEditor,
  gestures: Gestures,
  openMenuAt: OpenMenu,
): () => void {
  const { view } = editor;
  /** Where each pressed pointer is now, on the stage. */
  const down = new Map<number, Point>();
  let pressedAt: Point = [0, 0];
  let panning: number | null = null;
  let longPress: ReturnType<typeof setTimeout> | undefined;

  const onStage = (event: MouseEvent): Point => {
    const box = stage.getBoundingClientRect();
    // A host may show the widget scaled, on a slide for one.
    const scale = view.get().stage.width / box.width || 1;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  /** Whether the keyboard is in this editor, also inside a shadow root. */
  const isActive = (): boolean => {
    const root = stage.getRootNode() as Document | ShadowRoot;
    return stage.closest(".nbdrag")?.contains(root.activeElement) ?? false;
  };
  const onImage = (event: MouseEvent): Point => toImage(editor.viewport(), onStage(event));
  const reach = (event: PointerEvent): number =>
    (REACH[event.pointerType as keyof typeof REACH] ?? REACH.mouse) / editor.viewport().scale;

  const openMenu = (event: MouseEvent, within: number) =>
    openMenuAt(onImage(event), within, onStage(event));

  const onDown = (event: PointerEvent) => {
    if (![PRIMARY, MIDDLE, PEN_ERASER].includes(event.button)) return;
    view.dispatch({ panel: null, crosshair: null });
    stage.setPointerCapture(event.pointerId);
    // A mouse gives the focus by itself, and wakes the notebook's cell; a finger that drags doesn't.
    if (event.pointerType !== "mouse" && !isActive()) stage.focus({ preventScroll: true });
    pressedAt = onStage(event);
    down.set(event.pointerId, pressedAt);
    clearTimeout(longPress);
    if (down.size > 1) return gestures.cancel();
    if (event.button === MIDDLE || view.get().panning) {
      panning = event.pointerId;
      return;
    }
    if (event.pointerType === "touch") {
      longPress = setTimeout(() => openMenu(event, reach(event)), LONG_PRESS_MS);
    }
    const erases = event.pointerType === "pen" && (event.buttons & PEN_ERASER_DOWN) !== 0;
    gestures.press({
      at: onImage(event),
      reach: reach(event),
      erases,
      picks: event.altKey,
      adds: event.shiftKey,
    });
  };

  const onMove = (event: PointerEvent) => {
    const before = down.get(event.pointerId);
    if (before === undefined) return gestures.hover(onImage(event));
    const now = onStage(event);
    down.set(event.pointerId, now);
    if (distance(pressedAt, now) > 3) clearTimeout(longPress);
    if (down.size > 1) pinch(event.pointerId, before, now);
    else if (panning === event.pointerId) pan([now[0] - before[0], now[1] - before[1]]);
    else moveAlong(event);
    if (event.pointerType !== "touch") gestures.hover(onImage(event));
  };

  /** A fast hand moves several times per event; a stroke wants all of them. */
  const moveAlong = (event: PointerEvent) => {
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length > 0 ? steps : [event]) gestures.move(onImage(step));
  };

  /**
   * The middle button pans; browsers would scroll. And a finger that opened the menu may count as
   * a mouse when it is lifted: that must not take the focus from the menu, which would close it.
   */
  const onMouseDown = (event: MouseEvent) => {
    if (event.button === MIDDLE || view.get().panel !== null) event.preventDefault();
  };

  const onUp = ({ pointerId }: PointerEvent) => lift(pointerId, gestures.release);
  const onLost = ({ pointerId }: PointerEvent) => lift(pointerId, gestures.lose);
  const onCancel = ({ pointerId }: PointerEvent) => lift(pointerId, gestures.cancel);

  const lift = (pointer: number, end: () => void) => {
    clearTimeout(longPress);
    if (!down.delete(pointer)) return;
    if (panning === pointer) panning = null;
    else if (down.size === 0) end();
  };

  const pan = (by: Point) =>
    editor.setViewport((viewport, image, size) => panBy(viewport, by, image, size));

  const pinch = (moved: number, before: Point, now: Point) => {
    const other = [...down].find(([id]) => id !== moved)?.[1];
    if (other === undefined) return;
    const factor = distance(now, other) / Math.max(1, distance(before, other));
    const centre: Point = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    editor.setViewport((viewport, image, size) => {
      const by: Point = [(now[0] - before[0]) / 2, (now[1] - before[1]) / 2];
      return zoomAt(panBy(viewport, by, image, size), factor, centre, image, size);
    });
  };

  const onWheel = (event: WheelEvent) => {
    // The page keeps its wheel until the user has turned to the widget.
    if (!isActive()) return;
    event.preventDefault();
    event.stopPropagation();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    if (event.shiftKey) return pan([-(event.deltaX || event.deltaY) * lines, 0]);
    const factor = 2 ** ((-event.deltaY * lines) / (event.ctrlKey ? 100 : 300));
    editor.setViewport((viewport, image, size) =>
      zoomAt(viewport, factor, onStage(event), image, size),
    );
  };

  const onContextMenu = (event: MouseEvent) => {
    event.preventDefault();
    event.stopPropagation();
    openMenu(event, REACH.mouse / editor.viewport().scale);
  };
  const onLeave = () => gestures.hover(null);

  const listeners: [string, (event: never) => void][] = [
    ["mousedown", onMouseDown],
    ["pointerdown", onDown],
    ["pointermove", onMove],
    ["pointerup", onUp],
    ["pointercancel", onCancel],
    ["lostpointercapture", onLost],
    ["pointerleave", onLeave],
    ["wheel", onWheel],
    ["contextmenu", onContextMenu],
  ];
  for (const [type, listener] of listeners) {
    stage.addEventListener(type, listener as EventListener, { passive: false });
  }
  return () => {
    clearTimeout(longPress);
    for (const [type, listener] of listeners) {
      stage.removeEventListener(type, listener as EventListener);
    }
  };
}
