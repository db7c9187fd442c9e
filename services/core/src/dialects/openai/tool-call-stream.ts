import type { ToolCall } from './shapes.ts';

interface Seen {
  id: string;
  hasArguments: boolean;
}

/**
 * Tool-call deltas as the SDKs expect them (WIRE 2.13): a stable index for each call; id, type and name on the first
 * delta only; and arguments that are never missing.
 */
export class ToolCallStream {
  readonly #calls = new Map<string, Seen>();

  has(choice: number): boolean {
    for (const key of this.#calls.keys()) if (key.startsWith(`${choice}.`)) return true;
    return false;
  }

  /** Puts one delta's calls right, in place; true when something had to be. */
  putRight(choice: number, calls: ToolCall[]): boolean {
    let changed = false;
    for (const [i, call] of calls.entries()) {
      if (call.index === undefined) {
        call.index = this.#indexOf(choice, call, i);
        changed = true;
      }
      const key = `${choice}.${call.index}`;
      const seen = this.#calls.get(key);
      const hasArguments = typeof call.function?.arguments === 'string' && call.function.arguments !== '';
      if (seen) {
        seen.hasArguments ||= hasArguments;
        if (isRepeated(call)) {
          delete call.id;
          delete call.type;
          if (call.function) delete call.function.name;
          changed = true;
        }
      } else {
        if (!call.id || call.type === undefined) {
          call.id = call.id || `call_${choice}_${call.index}`;
          call.type ??= 'function';
          changed = true;
        }
        this.#calls.set(key, { id: call.id, hasArguments });
      }
    }
    return changed;
  }

  /** Some imitations send no index: a known id continues its call, a new one opens the next. */
  #indexOf(choice: number, call: ToolCall, position: number): number {
    let count = 0;
    for (const [key, seen] of this.#calls) {
      if (!key.startsWith(`${choice}.`)) continue;
      if (call.id && seen.id === call.id) return Number(key.slice(key.indexOf('.') + 1));
      count++;
    }
    return call.id || count === 0 ? count + (call.id ? 0 : position) : Math.max(0, count - 1);
  }

  /** Deltas that complete calls which ended without arguments: they must add up to `{}`. */
  missingArguments(choice: number): ToolCall[] {
    const missing: ToolCall[] = [];
    for (const [key, seen] of this.#calls) {
      if (key.startsWith(`${choice}.`) && !seen.hasArguments) {
        missing.push({ index: Number(key.slice(key.indexOf('.') + 1)), function: { arguments: '{}' } });
      }
    }
    return missing;
  }
}

const isRepeated = (call: ToolCall): boolean =>
  call.id !== undefined || call.type !== undefined || call.function?.name !== undefined;
