// What a command is, and a store of plain values.

import { createStore, type Store } from "../shared/store";

export interface Command {
  run(): void;
  enabled(): boolean;
}

export type Commands<Name extends string> = Record<Name, Command>;

/** A store whose events are the values that change. */
export function createStoreOf<V extends object>(initial: V): Store<V, Partial<V>> {
  return createStore<V, Partial<V>>(initial, (state, change) => ({ ...state, ...change }));
}
