// The header: the example before and after, its slider, how the strengths lie, and the way out.

import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { useSelect } from "../shared/hooks";
import { Icon } from "../shared/icons";
import { type Batch, neutralShare, SORT_NAMES, SORTS, slideTo } from "./batch";
import { Button } from "./button";
import { histogramOf } from "./histogram";
import { Picture, usePair } from "./picture";
import type { SortKey } from "./protocol.gen";
import { exampleAlpha, isEditable, isLive, running, shownStrength } from "./store";
import { signed } from "./tile";

const EXAMPLE = -1;
const BINS = 18;

export function Header({ batch }: { batch: Batch }): JSX.Element {
  const { store } = batch.session;
  const live = useSelect(store, isLive);
  return (
    <div class="nb-bar nb-batch-bar" role="toolbar" aria-label="The edit">
      {live && <Example batch={batch} />}
      <b class="nb-name" data-testid="name">
        {useSelect(store, ({ snapshot }) => snapshot?.name ?? "")}
      </b>
      <Strength batch={batch} />
      <span class="nb-space" />
      {live && (
        <>
          <Sort batch={batch} />
          <Compare batch={batch} />
          <Histogram batch={batch} />
          <Export batch={batch} />
        </>
      )}
    </div>
  );
}

function Example({ batch }: { batch: Batch }): JSX.Element {
  const { before, after } = usePair(batch.session.tiles, EXAMPLE);
  const comparing = useSelect(batch.view, (view) => view.comparing);
  const alpha = useSelect(batch.session.store, exampleAlpha);
  return (
    <span class="nb-example" title={`The example: α ${signed(alpha.toFixed(2))}`}>
      <Picture shown={before} label="The example before" testid="example-before" />
      <Icon name="arrow" />
      <Picture
        shown={comparing ? before : after}
        label="The example after"
        testid="example-after"
      />
    </span>
  );
}

function Strength({ batch }: { batch: Batch }): JSX.Element {
  const { store } = batch.session;
  const strength = useSelect(store, shownStrength);
  const low = useSelect(store, ({ snapshot }) => snapshot?.low ?? -1);
  const high = useSelect(store, ({ snapshot }) => snapshot?.high ?? 2);
  const can = useSelect(store, isEditable);
  const neutral = useSelect(store, neutralShare);
  const move = (input: HTMLInputElement, moving: boolean) =>
    slideTo(batch, input.valueAsNumber, moving);
  return (
    <label
      class="nb-row nb-strength"
      title={`How much the example is edited; all others follow. Double click: as it was.${
        neutral === null ? "" : " The mark: as neutral as the average picture (0)."
      }`}
    >
      Strength
      <input
        class="nb-slider"
        data-testid="strength"
        data-neutral={neutral?.toFixed(3)}
        style={neutral === null ? undefined : `--neutral: ${neutral}`}
        type="range"
        min={low}
        max={high}
        step="any"
        value={strength}
        disabled={!can}
        aria-valuetext={strength.toFixed(2)}
        onInput={({ currentTarget }) => move(currentTarget, true)}
        onChange={({ currentTarget }) => move(currentTarget, false)}
        onKeyDown={(event) => {
          // A step that can be seen, whatever the browser thinks of "any".
          const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
          if (way === undefined) return;
          event.preventDefault();
          event.stopPropagation();
          slideTo(batch, strength + way * (event.shiftKey ? 0.1 : 0.01), false);
        }}
        onDblClick={batch.commands.learnt.run}
      />
      <output data-testid="strength-value">{signed(strength.toFixed(2))}</output>
    </label>
  );
}

function Sort({ batch }: { batch: Batch }): JSX.Element {
  const { store, ask } = batch.session;
  const by = useSelect(store, ({ snapshot }) => snapshot?.by ?? "source");
  const can = useSelect(store, isEditable);
  return (
    <select
      class="nb-sort"
      data-testid="sort"
      aria-label="Sort the pictures"
      title="Sort the pictures (S)"
      disabled={!can}
      value={by}
      onChange={({ currentTarget }) => ask({ kind: "sort", by: currentTarget.value as SortKey })}
    >
      {SORTS.map((key) => (
        <option key={key} value={key} selected={key === by}>
          {SORT_NAMES[key]}
        </option>
      ))}
    </select>
  );
}

/** Shows the pictures as before while it is held down; the keyboard switches it on and off. */
function Compare({ batch }: { batch: Batch }): JSX.Element {
  const comparing = useSelect(batch.view, (view) => view.comparing);
  const show = (on: boolean) => () => batch.view.dispatch({ comparing: on });
  return (
    <button
      type="button"
      class="nb-tool"
      data-testid="compare"
      title="Hold to see them as before (C)"
      aria-label="Compare with before"
      aria-pressed={comparing}
      onPointerDown={show(true)}
      onPointerUp={show(false)}
      onPointerCancel={show(false)}
      onPointerLeave={show(false)}
      onClick={(event) => event.detail === 0 && batch.commands.compare.run()}
    >
      <Icon name="compare" />
    </button>
  );
}

const [WIDTH, HEIGHT, BAR] = [82, 26, 3];

function Histogram({ batch }: { batch: Batch }): JSX.Element {
  const state = useSelect(batch.session.store, (all) => all);
  const { offsets, overrides, overriding, included } = state;
  const strength = shownStrength(state);
  const { low, high, bins, most, extent } = useMemo(
    () => histogramOf(state, BINS),
    [offsets, overrides, overriding, included, strength, state.snapshot?.alpha],
  );
  const step = (WIDTH - BAR) / (BINS - 1);
  const tall = (count: number) => (most ? (count / most) * (HEIGHT - 4) : 0);
  const zero = BAR / 2 + (-low / (high - low || 1)) * (WIDTH - BAR);
  const name = extent
    ? `Strengths α from ${signed(extent[0].toFixed(2))} to ${signed(extent[1].toFixed(2))}`
    : "No picture is included";
  return (
    <svg
      class="nb-histogram"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      role="img"
      aria-label={name}
      data-testid="histogram"
    >
      <title>{name}</title>
      {bins.map(({ included: inside, others }, i) => {
        const x = BAR / 2 + i * step;
        const [bottom, top] = [HEIGHT - 4, HEIGHT - 4 - tall(inside)];
        return (
          <g key={`${x}`}>
            {others > 0 && <path class="nb-others" d={`M${x} ${bottom}V${top - tall(others)}`} />}
            {inside > 0 && <path d={`M${x} ${bottom}V${Math.min(top, bottom - 1.5)}`} />}
          </g>
        );
      })}
      <path class="nb-zero" d={`M${zero} ${HEIGHT - 2}v2`} />
    </svg>
  );
}

/** The one primary button; Stop while something runs. */
function Export({ batch }: { batch: Batch }): JSX.Element {
  const { store } = batch.session;
  const now = useSelect(store, running);
  const count = useSelect(store, ({ snapshot }) => snapshot?.included ?? 0);
  const open = useSelect(batch.view, ({ panel }) => panel === "export");
  if (now !== null) {
    const what = `Stop the ${now}`;
    return (
      <Button batch={batch} command="stop" label={what} icon="stop" class="nb-primary nb-stop">
        Stop
      </Button>
    );
  }
  return (
    <Button
      batch={batch}
      command="export"
      label={`Export ${count}`}
      class="nb-primary"
      expanded={open}
    >
      Export {count.toLocaleString("en")}
    </Button>
  );
}
