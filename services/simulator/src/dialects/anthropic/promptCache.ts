import { createHash } from 'node:crypto';
import type { MessageCreateParams } from '@anthropic-ai/sdk/resources/messages';
import { countTokens } from '../../text/tokens.ts';
import { isObject } from './shape.ts';

/** Prefixes with fewer tokens are not cached (docs: "Prompt caching", most models). */
const minTokens = 1024;
/** How many blocks before a breakpoint are looked at for an earlier entry. */
const lookback = 20;
/** Bounds the memory: the oldest prefixes are forgotten. */
const maxEntries = 50_000;

export interface CacheUse {
  readonly read: number;
  readonly written5m: number;
  readonly written1h: number;
}

interface Block {
  readonly key: string;
  /** Tokens from the beginning of the prompt to the end of this block. */
  readonly tokens: number;
  /** Set when the block is a breakpoint. */
  readonly ttl: '5m' | '1h' | undefined;
}

/** Explicit prompt caching: a breakpoint writes the prefix up to it, a later request with the same prefix reads it. */
export class PromptCache {
  readonly #entries = new Set<string>();

  /** Entries do not expire while the simulator runs. `model` has a cache of its own. */
  use(params: MessageCreateParams, model: string): CacheUse {
    const blocks = blocksOf(params, model);
    const breakpoints = blocks.flatMap((block, index) =>
      block.ttl !== undefined && block.tokens >= minTokens ? [{ ...block, index }] : [],
    );
    const hit = breakpoints
      .toReversed()
      .flatMap(({ index }) => blocks.slice(Math.max(0, index - lookback + 1), index + 1).toReversed())
      .find(({ key }) => this.#entries.has(key));
    let reached = hit?.tokens ?? 0;
    const read = reached;
    const written = { '5m': 0, '1h': 0 };
    for (const { key, tokens, ttl } of breakpoints) {
      this.#entries.add(key);
      if (ttl === undefined || tokens <= reached) continue;
      written[ttl] += tokens - reached;
      reached = tokens;
    }
    for (const key of this.#entries) {
      if (this.#entries.size <= maxEntries) break;
      this.#entries.delete(key);
    }
    return { read, written5m: written['5m'], written1h: written['1h'] };
  }
}

const imageTokens = 85;
const tokensPerKilobyte = 10;

/** About what the block counts as part of the prompt; media by size, as their base64 is not read. */
function tokensOf(block: Readonly<Record<string, unknown>>, json: string): number {
  if ('choice' in block) return 0;
  if (block.type === 'image') return imageTokens;
  if (block.type === 'document') return Math.ceil((json.length * 0.75) / 1024) * tokensPerKilobyte;
  if (typeof block.text === 'string') return countTokens(block.text);
  return countTokens(typeof block.content === 'string' ? block.content : json);
}

/** The prompt's blocks in the order in which they are cached: tools, system, messages. */
function blocksOf(params: MessageCreateParams, model: string): Block[] {
  const { tools = [], system = [], messages, tool_choice: choice, thinking } = params;
  const parts: unknown[] = [
    ...tools,
    ...(typeof system === 'string' ? [{ type: 'text', text: system }] : system),
    // What changes the rendering of the messages, though not that of tools and system.
    { choice, thinking },
    ...messages.flatMap(({ role, content }): unknown[] =>
      typeof content === 'string'
        ? [{ role, type: 'text', text: content }]
        : content.map((block) => ({ role, ...block })),
    ),
  ];
  const hash = createHash('sha256').update(model);
  let tokens = 0;
  const blocks = parts.map((part, index) => {
    const { cache_control: control, ...rest } = isObject(part) ? part : {};
    const text = JSON.stringify(rest);
    hash.update(text);
    tokens += tokensOf(rest, text);
    const marked = isObject(control)
      ? control
      : index === parts.length - 1
        ? (params.cache_control ?? undefined)
        : undefined;
    const ttl = marked === undefined ? undefined : marked.ttl === '1h' ? ('1h' as const) : ('5m' as const);
    return { key: hash.copy().digest('base64'), tokens, ttl };
  });
  return blocks;
}
