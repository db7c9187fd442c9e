import { createHash } from 'node:crypto';
import { countTokens } from '../../text/tokens.ts';
import { isObject } from './shape.ts';
import type { ConverseBody } from './wire.ts';

/** Prefixes with fewer tokens are not cached (docs: "Prompt caching for faster model inference"). */
const minTokens = 1024;
/** Bounds the memory: the oldest prefixes are forgotten. */
const maxEntries = 50_000;

export interface CacheUse {
  readonly read: number;
  readonly written: number;
}

/** What a cachePoint closes off: all of the prompt before it. */
interface Prefix {
  readonly key: string;
  readonly tokens: number;
}

/** Explicit prompt caching: a cachePoint writes the prefix before it, a later request with the same prefix reads it. */
export class PromptCache {
  readonly #entries = new Set<string>();

  /** Entries do not expire while the simulator runs. `model` has a cache of its own. */
  use(body: ConverseBody, model: string): CacheUse {
    const prefixes = prefixesOf(body, model).filter(({ tokens }) => tokens >= minTokens);
    const read = prefixes.findLast(({ key }) => this.#entries.has(key))?.tokens ?? 0;
    for (const { key } of prefixes) this.#entries.add(key);
    for (const key of this.#entries) {
      if (this.#entries.size <= maxEntries) break;
      this.#entries.delete(key);
    }
    return { read, written: Math.max(0, (prefixes.at(-1)?.tokens ?? 0) - read) };
  }
}

/** The prompt's blocks in the order in which they are cached: tools, system, messages. */
function prefixesOf({ toolConfig, system = [], messages }: ConverseBody, model: string): Prefix[] {
  const hash = createHash('sha256').update(model);
  const found: Prefix[] = [];
  let tokens = 0;
  const blocks: unknown[] = [
    ...(toolConfig?.tools ?? []),
    ...system,
    ...messages.flatMap(({ role, content }) => content.map((block) => ({ role, ...block }))),
  ];
  for (const block of blocks) {
    if (isObject(block) && block.cachePoint !== undefined) {
      found.push({ key: hash.copy().digest('base64'), tokens });
      continue;
    }
    const text = JSON.stringify(block);
    hash.update(text);
    tokens += countTokens(text);
  }
  return found;
}
