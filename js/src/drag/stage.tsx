// The stage: the canvas, the points above it, and the pointer, wheel and pinch that work on them.

import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { useSelect } from "../shared/hooks";
import { clamp, type Point, toStage } from "../shared/viewport";
import { createSurface } from "./canvas";
import { brushRadius, type Editor } from "./editor";
import type { Gestures } from "./gestures";
import { listenToPointers } from "./pointers";
import { type PointRef, type Role, samePoint } from "./points";
import { isEditable, isLive, shownMask, shownPairs } from "./store";

export function Stage({ editor, gestures }: { editor: Editor; gestures: Gestures }): JSX.Element {
  const stage = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useSelect(editor.session.store, () => editor.imageSize().width);
  const height = useSelect(editor.session.store, () => editor.imageSize().height);
  const tool = useSelect(editor.view, (view) => view.tool);
  const waiting = useSelect(
    editor.session.store,
    (state) => state.picture === null && isLive(state),
  );

  useEffect(() => {
    if (stage.current === null || canvas.current === null) return;
    const stopDrawing = keepDrawn(editor, canvas.current);
    const stopListening = listenToPointers(stage.current, editor, gestures);
    return () => {
      stopDrawing();
      stopListening();
    };
  }, [editor, gestures]);

  return (
    <div
      ref={stage}
      class="nb-stage"
      data-testid="stage"
      data-tool={tool}
      style={`--aspect: ${aspect(width, height)}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: an application is interactive
      tabIndex={0}
      role="application"
      aria-roledescription="image editor"
      aria-label={`Picture, ${width} by ${height} pixels. Arrow keys move a crosshair, Enter places a point or draws.`}
    >
      <canvas
        ref={canvas}
        class="nb-canvas"
        data-testid="canvas"
        role="img"
        aria-label="The generated picture"
      />
      {waiting && <p class="nb-empty">Waiting for the kernel…</p>}
      <Overlay editor={editor} />
    </div>
  );
}

/** How high the stage is for its width: a picture that is higher than wide gets more room. */
function aspect(width: number, height: number): number {
  return clamp(height / width, 1, 1.4);
}

/** Redraws the canvas, once per animation frame, whenever what it shows has changed. */
function keepDrawn(editor: Editor, canvas: HTMLCanvasElement): () => void {
  const { session, view } = editor;
  const surface = createSurface(canvas);
  let requested = 0;
  let masked: Parameters<typeof shownMask>[0] | null = null;
  let mask: ReturnType<typeof shownMask> = null;

  const draw = () => {
    requested = 0;
    const state = session.store.get();
    const { comparing, overlay } = view.get();
    if (masked?.mask !== state.mask || masked.strokes !== state.strokes) mask = shownMask(state);
    masked = state;
    surface.draw({
      picture: comparing && state.before ? state.before : state.picture,
      image: editor.imageSize(),
      viewport: editor.viewport(),
      mask: overlay && !comparing ? mask : null,
    });
  };
  const request = () => {
    if (requested === 0) requested = requestAnimationFrame(draw);
  };

  const sized = new ResizeObserver(([entry]) => {
    if (entry === undefined) return;
    const { width, height } = entry.contentRect;
    const device = entry.devicePixelContentBoxSize?.[0];
    const deviceWidth = device?.inlineSize ?? Math.round(width * devicePixelRatio);
    const deviceHeight = device?.blockSize ?? Math.round(height * devicePixelRatio);
    if (width === 0 || height === 0) return;
    surface.resize({ width: deviceWidth, height: deviceHeight }, deviceWidth / width);
    view.dispatch({ stage: { width, height } });
    // Resizing clears a canvas: draw before the browser paints.
    draw();
  });
  try {
    sized.observe(canvas, { box: "device-pixel-content-box" });
  } catch {
    sized.observe(canvas);
  }
  // JupyterLab detaches cells out of sight, and a canvas comes back blank.
  const seen = new IntersectionObserver(request);
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

/** The points, the pair being placed, the brush's outline and the crosshair. */
function Overlay({ editor }: { editor: Editor }): JSX.Element | null {
  const { session, view } = editor;
  const state = useSelect(session.store, (s) => s);
  const own = useSelect(view, (v) => v);
  const pairs = useMemo(() => shownPairs(state), [state]);
  if (state.snapshot === null || own.stage.width === 0) return null;

  const viewport = editor.viewport();
  const at = (point: Point) => toStage(viewport, point);
  const painting = state.strokes.at(-1)?.stroke;
  const shown = own.pending === null ? pairs : [...pairs, own.pending];
  const drawing = own.tool !== "points" && !own.comparing;
  const cursor = own.crosshair?.at ?? own.hover;
  const radius = brushRadius(own, editor.imageSize()) * viewport.scale;

  return (
    <div class={own.comparing ? "nb-overlay nb-faded" : "nb-overlay"}>
      <svg class="nb-lines" aria-hidden="true">
        {shown.map((pair, i) => (
          <Way key={i} from={at(pair.handle)} to={at(pair.target)} />
        ))}
        {painting?.tool.startsWith("lasso") && (
          <polygon class="nb-lasso" points={painting.path.map((p) => at(p).join()).join(" ")} />
        )}
        {drawing && own.tool !== "lasso" && cursor && (
          <circle class="nb-brush" cx={at(cursor)[0]} cy={at(cursor)[1]} r={radius} />
        )}
        {own.crosshair && <Crosshair at={at(own.crosshair.at)} />}
      </svg>
      {pairs.map((pair, index) =>
        (["handle", "target"] as const).map((role) => (
          <PointElement
            key={`${index}${role}`}
            editor={editor}
            at={{ index, role }}
            point={pair[role]}
            position={at(pair[role])}
            selected={samePoint(own.selected, { index, role })}
            width={editor.imageSize().width}
            disabled={!isEditable(state)}
          />
        )),
      )}
      {own.pending && (
        <>
          <Dot as="target" position={at(own.pending.target)} />
          <Dot as="handle" position={at(own.pending.handle)} />
        </>
      )}
    </div>
  );
}

interface PointElementProps {
  editor: Editor;
  at: PointRef;
  point: Point;
  position: Point;
  selected: boolean;
  /** The image's, in pixels. */
  width: number;
  disabled: boolean;
}

function PointElement({
  editor,
  at,
  point,
  position,
  selected,
  width,
  disabled,
}: PointElementProps): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  const [x, y] = point.map((value) => value.toFixed(1));
  const name = at.role === "handle" ? "Handle" : "Target";
  // A point that is taken hold of gets the keyboard too.
  useEffect(() => {
    const root = element.current?.getRootNode() as Document | ShadowRoot | undefined;
    const active = root?.activeElement;
    if (selected && active?.closest(".nb-stage")) element.current?.focus({ preventScroll: true });
  }, [selected]);
  return (
    <div
      ref={element}
      class={`nb-point nb-${at.role}`}
      style={`transform: translate(${position[0]}px, ${position[1]}px)`}
      data-testid={`${at.role}-${at.index + 1}`}
      data-x={point[0]}
      data-y={point[1]}
      data-selected={selected || undefined}
      role="slider"
      aria-roledescription="point"
      aria-label={`${name} ${at.index + 1} at ${x}, ${y}`}
      aria-valuemin={0}
      aria-valuemax={width}
      aria-valuenow={Math.round(point[0])}
      aria-valuetext={`x ${x}, y ${y}`}
      aria-disabled={disabled}
      tabIndex={disabled ? -1 : 0}
      onFocus={() => editor.view.dispatch({ selected: at })}
    />
  );
}

function Dot({ as, position }: { as: Role; position: Point }): JSX.Element {
  return (
    <div
      class={`nb-point nb-${as}`}
      style={`transform: translate(${position[0]}px, ${position[1]}px)`}
    />
  );
}

/** The line from a handle to its target: red on white, so that it shows on any picture. */
function Way({ from, to }: { from: Point; to: Point }): JSX.Element {
  const ends = { x1: from[0], y1: from[1], x2: to[0], y2: to[1] };
  return (
    <>
      <line class="nb-way-edge" {...ends} />
      <line class="nb-way" {...ends} />
    </>
  );
}

function Crosshair({ at: [x, y] }: { at: Point }): JSX.Element {
  return <path class="nb-crosshair" d={`M${x - 12} ${y}h8m8 0h8M${x} ${y - 12}v8m0 8v8`} />;
}
