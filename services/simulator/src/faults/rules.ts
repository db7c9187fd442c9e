import type { Directives } from './directives.ts';
import { DirectiveError, readDirectives } from './directives.ts';

export interface FaultMatch {
  /** Model name without directives; `*` matches anything. Absent: every model. */
  readonly model?: string;
  /** Request path such as `/v1/chat/completions`; `*` matches anything. Absent: every path. */
  readonly path?: string;
}

export interface FaultRule {
  readonly id: number;
  readonly match: FaultMatch;
  readonly fault: Directives;
  /** How many requests it still applies to; null: all. */
  remaining: number | null;
  /** How many requests it has applied to. */
  hits: number;
}

export interface NewFaultRule {
  readonly match?: FaultMatch;
  readonly fault: Readonly<Record<string, string | number | boolean>>;
  readonly times?: number | null;
}

/** Faults that were set from outside the requests. Newer rules win; used-up ones stay listed but apply no more. */
export class FaultRules {
  #rules: FaultRule[] = [];
  #nextId = 1;

  add(rule: NewFaultRule): FaultRule {
    const pairs = Object.entries(rule.fault).map(([name, value]): [string, string] => [name, String(value)]);
    const times = rule.times ?? null;
    if (times !== null && !(Number.isInteger(times) && times > 0))
      throw new DirectiveError(`'times' must be a whole number of at least 1, or null; got ${JSON.stringify(times)}.`);
    const added = {
      id: this.#nextId++,
      match: rule.match ?? {},
      fault: readDirectives(pairs),
      remaining: times,
      hits: 0,
    };
    this.#rules.push(added);
    return added;
  }

  /** Removes one rule, or all of them, and says how many went. */
  clear(id?: number): number {
    const before = this.#rules.length;
    this.#rules = id === undefined ? [] : this.#rules.filter((rule) => rule.id !== id);
    return before - this.#rules.length;
  }

  list(): readonly FaultRule[] {
    return this.#rules;
  }

  /** The newest rule that applies to this request, which counts as one of its times. */
  take(request: { readonly model: string; readonly path: string }): Directives {
    const rule = this.#rules.findLast(
      ({ match, remaining }) =>
        remaining !== 0 && matches(match.model, request.model) && matches(match.path, request.path),
    );
    if (rule === undefined) return {};
    rule.hits++;
    if (rule.remaining !== null) rule.remaining--;
    return rule.fault;
  }
}

/** Whether `value` is what `pattern` says, `*` standing for any characters; no pattern matches all. */
export function matches(pattern: string | undefined, value: string): boolean {
  if (pattern === undefined) return true;
  const source = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${source.join('.*')}$`, 's').test(value);
}
