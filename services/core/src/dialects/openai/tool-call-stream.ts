import { repairArguments, type ToolCall, toolCallId } from './shapes.ts';

interface Call {
  readonly index: number;
  /** What the provider says: '' and null where it says nothing. */
  readonly givenId: string;
  readonly givenIndex: number | null;
  readonly name: string;
  readonly isFunction: boolean;
  hasArguments: boolean;
}

/**
 * Tool-call deltas as the SDKs expect them (WIRE 2.13): a stable index of its own for each call; id, type and name on the
 * first delta only; and arguments that are never missing.
 */
export class ToolCallStream {
  readonly #generationId: string;
  readonly #calls = new Map<number, Call[]>();

  constructor(generationId: string) {
    this.#generationId = generationId;
  }

  has(choice: number): boolean {
    return this.#calls.has(choice);
  }

  /** Puts one delta's calls right, in place; true when something had to be. */
  putRight(choice: number, deltas: readonly ToolCall[]): boolean {
    let changed = false;
    let opened: Call | null = null;
    for (const delta of deltas) {
      const known = continued(this.#of(choice), delta, opened);
      const call = known ?? this.#open(choice, delta);
      if (!known) opened = call;
      if (repairArguments(delta)) changed = true;
      if (known ? strip(delta) : complete(delta, call, toolCallId(this.#generationId, choice, call.index)))
        changed = true;
      if (delta.index !== call.index) {
        delta.index = call.index;
        changed = true;
      }
      if (delta.function?.arguments) call.hasArguments = true;
    }
    return changed;
  }

  #of(choice: number): readonly Call[] {
    return this.#calls.get(choice) ?? [];
  }

  #open(choice: number, delta: ToolCall): Call {
    const calls = this.#of(choice);
    const givenIndex = typeof delta.index === 'number' ? delta.index : null;
    const free = givenIndex !== null && calls.every(({ index }) => index !== givenIndex);
    const call: Call = {
      index: free ? givenIndex : Math.max(-1, ...calls.map(({ index }) => index)) + 1,
      givenId: delta.id ?? '',
      givenIndex,
      name: delta.function?.name ?? '',
      isFunction: delta.custom === undefined,
      hasArguments: false,
    };
    this.#calls.set(choice, [...calls, call]);
    return call;
  }

  /** Deltas that complete calls which ended without arguments: they must add up to `{}`. */
  missingArguments(choice: number): ToolCall[] {
    return this.#of(choice)
      .filter(({ isFunction, hasArguments }) => isFunction && !hasArguments)
      .map(({ index }) => ({ index, function: { arguments: '{}' } }));
  }
}

/**
 * The call that a delta goes on with, undefined when it opens one. The index tells, but some imitations send none, and
 * some send 0 for all of several parallel calls: then a new id or name tells. `opened`: by the same chunk.
 */
function continued(calls: readonly Call[], delta: ToolCall, opened: Call | null): Call | undefined {
  const id = delta.id ?? '';
  const name = delta.function?.name ?? '';
  if (typeof delta.index === 'number') {
    const call = calls.findLast(({ givenIndex }) => givenIndex === delta.index);
    const isAnother = id !== '' && name !== '' && call !== undefined && call.givenId !== '' && call.givenId !== id;
    return isAnother ? undefined : call;
  }
  if (id !== '') return calls.find(({ givenId }) => givenId === id);
  const last = calls.at(-1);
  if (name !== '' && last && (last.name !== name || last === opened)) return undefined;
  return last;
}

/** Makes a call's first delta whole. */
function complete(delta: ToolCall, call: Call, id: string): boolean {
  if (delta.id && delta.type) return false;
  delta.id = delta.id || id;
  delta.type = delta.type || (call.isFunction ? 'function' : 'custom');
  return true;
}

/** Takes out of a later delta what only the first may say. */
function strip(delta: ToolCall): boolean {
  const repeats = delta.id !== undefined || delta.type !== undefined || delta.function?.name !== undefined;
  if (repeats) {
    delete delta.id;
    delete delta.type;
    if (delta.function) delete delta.function.name;
  }
  return repeats;
}
