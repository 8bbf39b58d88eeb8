// The sidebar: the picture's origin, the parts, the vectors, the options.

import type { JSX } from "preact";
import { useSelect } from "../shared/hooks";
import { Options } from "../shared/options";
import { Origin } from "../shared/origin";
import type { Painter } from "./editor";
import { Parts } from "./parts";
import { Vectors } from "./vectors";

/** The options worth seeing while their list is folded. */
const FOREMOST = ["learning_rate", "max_steps"];

export function Sidebar({ painter }: { painter: Painter }): JSX.Element {
  const { store, ask } = painter.session;
  const schema = useSelect(store, ({ snapshot }) => snapshot?.paint_schema);
  const values = useSelect(store, ({ snapshot }) => snapshot?.paint_options);
  return (
    <aside class="nb-side">
      <div class="nb-scroll">
        <Origin editor={painter} />
        <Parts painter={painter} />
        <Vectors painter={painter} />
        <Options
          editor={painter}
          schema={schema}
          values={values}
          foremost={FOREMOST}
          onChange={(options) => ask({ kind: "set_paint_options", options })}
        />
      </div>
    </aside>
  );
}
