// The vectors: a slider for each, and a way to learn another from what was just done.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { CommandButton } from "../shared/button";
import { useSelect } from "../shared/hooks";
import { Icon } from "../shared/icons";
import { LIMITS } from "../shared/protocol.gen";
import { isEditable, isRunning } from "../shared/store";
import type { Painter } from "./editor";
import { type Slider, shownScales } from "./store";

export function Vectors({ painter }: { painter: Painter }): JSX.Element | null {
  const { store } = painter.session;
  const sliders = useSelect(store, (state) => state.sliders);
  const editable = useSelect(store, isEditable);
  const naming = useSelect(painter.view, (view) => view.naming);
  const slid = useSelect(store, painter.commands.slideBack.enabled);
  if (!editable && sliders.length === 0) return null;
  return (
    <section class="nb-section nb-vectors" data-testid="vectors">
      <div class="nb-heading">
        <b>Vectors</b>
        <span class="nb-space" />
        {slid && (
          <>
            <CommandButton
              editor={painter}
              command="refine"
              icon="refine"
              label="Repair what they did beside their parts"
              class="nb-tool nb-small"
            />
            <CommandButton
              editor={painter}
              command="slideBack"
              icon="reset"
              label="All sliders to 0"
              class="nb-tool nb-small"
            />
          </>
        )}
      </div>
      {sliders.map((slider) => (
        <VectorSlider key={slider.name} painter={painter} slider={slider} />
      ))}
      {naming ? (
        <Naming painter={painter} />
      ) : (
        <CommandButton
          editor={painter}
          command="learn"
          label="Learn from this edit"
          class="nb-outlined nb-learn"
        >
          Learn from this edit
        </CommandButton>
      )}
    </section>
  );
}

interface VectorSliderProps {
  painter: Painter;
  slider: Slider;
}

function VectorSlider({ painter, slider }: VectorSliderProps): JSX.Element {
  const { session } = painter;
  const { name, classes, scale_low: low, scale_high: high, packaged, preview } = slider;
  const scale = useSelect(session.store, (state) => shownScales(state)[name] ?? 0);
  const can = useSelect(session.store, (state) => isEditable(state) && !isRunning(state));
  const label = name.replaceAll("_", " ");
  const title = classes.length > 0 ? `${label}: learnt on ${classes.join(", ")}` : label;
  const back = () => session.slide(name, 0);
  return (
    <div class="nb-row nb-vector" data-slid={scale !== 0 || undefined}>
      <label class="nb-vector-label" title={title}>
        <span class="nb-vector-name nb-cut">{label}</span>
        <input
          class="nb-slider nb-from-zero"
          style={`--zero: ${at(0, low, high)}; --at: ${at(scale, low, high)}`}
          data-testid={`vector-${name}`}
          type="range"
          min={low}
          max={high}
          step="any"
          value={scale}
          disabled={!can}
          aria-valuetext={scale.toFixed(2)}
          onInput={({ currentTarget }) => session.slide(name, rounded(currentTarget.valueAsNumber))}
          onDblClick={back}
          onKeyDown={(event) => {
            if (event.key !== "Home" && event.key !== "Delete") return;
            event.preventDefault();
            event.stopPropagation();
            back();
          }}
        />
        {preview && <img class="nb-preview" src={preview} alt="" />}
      </label>
      <output>{scale === 0 ? "0" : scale.toFixed(2)}</output>
      {!packaged && (
        <button
          type="button"
          class="nb-tool nb-small nb-forget"
          data-testid={`forget-${name}`}
          aria-label={`Forget ${label}`}
          title="Forget this vector"
          disabled={!can}
          onClick={() => session.ask({ kind: "forget_vector", name })}
        >
          <Icon name="close" />
        </button>
      )}
    </div>
  );
}

/** As it is shown: what nobody can see or say need not differ. */
function rounded(scale: number): number {
  return Math.round(scale * 100) / 100;
}

/** Where on the slider a scale lies, 0 to 1. */
function at(scale: number, low: number, high: number): number {
  return (scale - low) / (high - low || 1);
}

function Naming({ painter }: { painter: Painter }): JSX.Element {
  const { session, view } = painter;
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus({ preventScroll: true }), []);
  const close = () => view.dispatch({ naming: false });
  const learn = async () => {
    const name = field.current?.value.trim() ?? "";
    if (name === "") return field.current?.focus();
    if (await session.ask({ kind: "learn_vector", name })) close();
  };
  return (
    <form
      class="nb-naming"
      onSubmit={(event) => {
        event.preventDefault();
        void learn();
      }}
    >
      <input
        ref={field}
        data-testid="vector-name"
        type="text"
        aria-label="Name of the new vector"
        placeholder="its name"
        maxLength={LIMITS.vector_name}
        autocomplete="off"
        spellcheck={false}
        onKeyDown={(event) => event.key === "Escape" && close()}
      />
      <button type="submit" class="nb-outlined nb-short" data-testid="vector-learn">
        Learn
      </button>
      <button
        type="button"
        class="nb-tool nb-small"
        aria-label="Don't learn"
        title="Don't learn"
        onClick={close}
      >
        <Icon name="close" />
      </button>
    </form>
  );
}
