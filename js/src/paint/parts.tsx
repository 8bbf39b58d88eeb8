// The legend: every part with its colour, name and key; which one is painted, and which are shown.

import type { JSX } from "preact";
import { CommandButton } from "../shared/button";
import { useSelect } from "../shared/hooks";
import { Icon } from "../shared/icons";
import type { PaintedPart } from "../shared/protocol.gen";
import { isLive } from "../shared/store";
import { choosePart, type Painter } from "./editor";
import { keyOfPart } from "./keyboard";

/** "left_brow" as a person says it. */
export function nameOf({ name }: PaintedPart): string {
  return name.replaceAll("_", " ");
}

export function Parts({ painter }: { painter: Painter }): JSX.Element | null {
  const { session, view } = painter;
  const parts = useSelect(session.store, (state) => state.parts);
  const live = useSelect(session.store, isLive);
  const known = useSelect(session.store, (state) => state.snapshot !== null);
  const over = useSelect(view, (v) => v.over);
  const part = useSelect(view, (v) => v.part);
  if (!known || (!live && parts.length === 0)) return null;
  if (parts.length === 0) return <NoParts />;

  /** Up and down lead through the parts, and choose them. */
  const walk = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const next = (part + step + parts.length) % parts.length;
    choosePart(painter, next);
    const list = event.currentTarget as HTMLElement;
    list.querySelectorAll<HTMLElement>(".nb-part-name")[next]?.focus({ preventScroll: true });
  };

  return (
    <section class="nb-section" data-testid="parts">
      <div class="nb-heading">
        <b>Parts</b>
        <span class="nb-space" />
        <CommandButton
          editor={painter}
          command="restore"
          icon="restore"
          label="The map as it was found"
          class="nb-tool nb-small"
        />
      </div>
      {over && <Opacity painter={painter} />}
      <div class="nb-parts" role="radiogroup" aria-label="Part to paint" onKeyDown={walk}>
        {parts.map((one, index) => (
          <Part key={index} painter={painter} part={one} index={index} />
        ))}
      </div>
    </section>
  );
}

interface PartProps {
  painter: Painter;
  part: PaintedPart;
  index: number;
}

function Part({ painter, part, index }: PartProps): JSX.Element {
  const { view } = painter;
  const chosen = useSelect(view, (v) => v.part === index);
  const along = useSelect(view, (v) => v.along.includes(index) && v.tool === "move");
  const hidden = useSelect(view, (v) => v.hidden.has(index));
  const name = nameOf(part);
  const key = keyOfPart(index);
  const toggle = () => {
    const now = new Set(view.get().hidden);
    if (!now.delete(index)) now.add(index);
    view.dispatch({ hidden: now });
  };
  return (
    <div
      class="nb-part"
      data-chosen={chosen || undefined}
      data-along={along || undefined}
      data-hidden={hidden || undefined}
    >
      {/* biome-ignore lint/a11y/useSemanticElements: hosts style bare inputs, and a label has keys */}
      <button
        type="button"
        class="nb-part-name"
        data-testid={`part-${part.name}`}
        role="radio"
        aria-checked={chosen}
        tabIndex={chosen ? 0 : -1}
        title={key ? `${name} (${key}); with Shift, move it along` : name}
        onClick={(event) => choosePart(painter, index, event.shiftKey)}
      >
        <i class="nb-swatch" style={`background: ${part.colour}`} />
        <span class="nb-key" aria-hidden="true">
          {key}
        </span>
        <span class="nb-cut">{name}</span>
      </button>
      <button
        type="button"
        class="nb-tool nb-small nb-eye"
        data-testid={`show-${part.name}`}
        aria-label={`Show ${name}`}
        aria-pressed={!hidden}
        title={hidden ? "Show its colour" : "Hide its colour"}
        onClick={toggle}
      >
        <Icon name={hidden ? "hidden" : "shown"} />
      </button>
    </div>
  );
}

function Opacity({ painter: { view } }: { painter: Painter }): JSX.Element {
  const opacity = useSelect(view, (v) => v.opacity);
  return (
    <label class="nb-row">
      Opacity
      <input
        class="nb-slider"
        data-testid="opacity"
        type="range"
        min={0}
        max={1}
        step={0.05}
        value={opacity}
        onInput={({ currentTarget }) => view.dispatch({ opacity: currentTarget.valueAsNumber })}
      />
      <output>{Math.round(opacity * 100)} %</output>
    </label>
  );
}

function NoParts(): JSX.Element {
  return (
    <section class="nb-section" data-testid="parts">
      <b>Parts</b>
      <p class="nb-note">
        Nothing tells this generator's parts. Load what does, <code>nbdrag.load_segmenter</code>, or
        take a generator that comes with it.
      </p>
    </section>
  );
}
