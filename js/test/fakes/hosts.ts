// Widget managers that behave like those of the hosts, as far as an anywidget can see.
//
// What they have in common: a model with get, set, save_changes, on, off and send, made into a
// proxy of its own for `initialize` and for every view. What they don't is written at each.

import type { FromKernel, FromPage } from "../../src/shared/protocol.gen";

type Callback = (...args: unknown[]) => void;
type Definition = {
  initialize?(props: object): unknown;
  render?(props: object): unknown;
};

export interface HostTraits {
  /** How buffers arrive. */
  buffer(bytes: Uint8Array): DataView | Uint8Array;
  /** How long a message is under way, each way, in ms. */
  latency: number;
  shadowRoot: boolean;
  /** Without one, what the page sends goes nowhere. */
  kernel: boolean;
  /** Whether binary traits of the first state arrive. */
  binaryState: boolean;
}

const dataView = (bytes: Uint8Array) => new DataView(Uint8Array.from(bytes).buffer);
const uint8Array = (bytes: Uint8Array) => Uint8Array.from(bytes);

const JUPYTER: HostTraits = {
  buffer: dataView,
  latency: 2,
  shadowRoot: false,
  kernel: true,
  binaryState: true,
};

export const HOSTS = {
  jupyterlab: JUPYTER,
  /** Uint8Array buffers, and none with comm_open; ipywidgets 7. */
  colab: { ...JUPYTER, buffer: uint8Array, binaryState: false, latency: 80 },
  /** Everything in a shadow root; replies wait while a cell runs. */
  marimo: { ...JUPYTER, shadowRoot: true, latency: 700 },
  /** nbconvert or a docs page: traits, and nobody to talk to. */
  static: { ...JUPYTER, kernel: false },
} satisfies Record<string, HostTraits>;

export class Host {
  onSend: (message: FromPage, buffers: Uint8Array[]) => void = () => undefined;
  /** Set to have `send` throw, as it does after the kernel has died. */
  dead = false;
  private readonly callbacks = new Map<string, Set<Callback>>();
  private definition: Definition | null = null;
  private readonly cleanups: (() => void)[] = [];

  constructor(
    readonly traits: HostTraits,
    private readonly state: Record<string, unknown> = {},
  ) {}

  /** Loads the widget's module, as the host does for every model. */
  async open(module: { default: unknown }): Promise<void> {
    const exported = module.default;
    this.definition = (typeof exported === "function" ? await exported() : exported) as Definition;
    const cleanup = await this.definition.initialize?.({ model: this.proxy() });
    if (typeof cleanup === "function") this.cleanups.push(cleanup as () => void);
  }

  /** Shows the widget once more; returns the editor's root element. */
  async show(): Promise<HTMLElement> {
    const place = document.createElement("div");
    document.body.append(place);
    const el = document.createElement("div");
    const inside = this.traits.shadowRoot ? place.attachShadow({ mode: "open" }) : place;
    inside.append(el);
    const cleanup = await this.definition?.render?.({ model: this.proxy(), el });
    this.cleanups.push(() => {
      (cleanup as (() => void) | undefined)?.();
      place.remove();
    });
    const root = el.querySelector<HTMLElement>(".nbdrag");
    if (root === null) throw new Error("the widget drew nothing");
    return root;
  }

  deliver(message: FromKernel, buffers: Uint8Array[]): void {
    // JSON, as a comm's: what doesn't survive it must not be relied upon.
    const content = JSON.parse(JSON.stringify(message)) as FromKernel;
    const views = buffers.map((bytes) => this.traits.buffer(bytes));
    setTimeout(() => this.emit("msg:custom", content, views), this.traits.latency);
  }

  close(): void {
    for (const cleanup of this.cleanups.reverse()) cleanup();
  }

  /** How many callbacks are registered: 0 after everything is closed. */
  get listening(): number {
    return [...this.callbacks.values()].reduce((sum, { size }) => sum + size, 0);
  }

  private emit(event: string, ...args: unknown[]): void {
    for (const callback of [...(this.callbacks.get(event) ?? [])]) callback(...args);
  }

  /** The calls of ipywidgets 7, and nothing else: any other name is undefined, as in Colab. */
  private proxy() {
    return {
      get: (name: string) => {
        const value = this.state[name];
        if (!(value instanceof Uint8Array)) return value;
        return this.traits.binaryState ? this.traits.buffer(value) : null;
      },
      set: (name: string, value: unknown) => {
        this.state[name] = value;
      },
      save_changes: () => undefined,
      on: (event: string, callback: Callback) => {
        const set = this.callbacks.get(event) ?? new Set();
        this.callbacks.set(event, set.add(callback));
      },
      off: (event: string, callback: Callback) => {
        this.callbacks.get(event)?.delete(callback);
      },
      send: (content: unknown, callbacks?: unknown, buffers: ArrayBuffer[] = []) => {
        if (this.dead) throw new Error("Kernel is dead");
        if (callbacks !== undefined) throw new Error("not alike in all hosts");
        if (!this.traits.kernel) return;
        const message = JSON.parse(JSON.stringify(content)) as FromPage;
        const arriving = buffers.map((buffer) => new Uint8Array(buffer.slice(0)));
        setTimeout(() => this.onSend(message, arriving), this.traits.latency);
      },
    };
  }
}
