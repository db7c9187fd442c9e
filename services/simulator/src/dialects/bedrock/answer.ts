import type { ConverseStreamMetadataEvent, StopReason, TokenUsage } from '@aws-sdk/client-bedrock-runtime';
import type { Directives } from '../../faults/directives.ts';
import { composeAnswer, type SpokenChoice, type SpokenUsage } from '../../speech/answer.ts';
import { sign } from '../../speech/signature.ts';
import { PrefixCache } from '../../text/prefixCache.ts';
import { hidesThinking } from './claude.ts';
import type { CacheUse, PromptCache } from './promptCache.ts';
import type { ConverseCall } from './request.ts';

/** A block as it is said: in tokens where it comes in pieces. */
export type SpokenBlock =
  | { readonly type: 'text'; readonly tokens: readonly string[] }
  | { readonly type: 'reasoning'; readonly tokens: readonly string[]; readonly signature: string }
  | { readonly type: 'redacted'; readonly data: string }
  | { readonly type: 'toolUse'; readonly id: string; readonly name: string; readonly json: readonly string[] };

export interface ConverseAnswer {
  readonly blocks: readonly SpokenBlock[];
  readonly stopReason: StopReason | string;
  readonly usage: TokenUsage;
  /** What `additionalModelResponseFieldPaths` asked for. */
  readonly additional: Readonly<Record<string, string | null>> | undefined;
  readonly echoed: Pick<ConverseStreamMetadataEvent, 'serviceTier' | 'performanceConfig'>;
  /** Tokens that the client gets to see. */
  readonly tokens: number;
}

const stopReasons = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'content_filtered',
} as const satisfies Record<SpokenChoice['finish'], StopReason>;

export function answerConverse(
  { body, conversation }: ConverseCall,
  model: string,
  directives: Directives,
  cache: PromptCache,
): ConverseAnswer {
  // Bedrock caches what it is told to, so that nothing is remembered here.
  const { choices, usage } = composeAnswer(conversation, directives, new PrefixCache());
  const [choice] = choices;
  if (choice === undefined) throw new Error('An answer has one choice.');
  const stopped = choice.finish === 'stop' ? choice.stopped : undefined;
  const usual = stopped === undefined ? stopReasons[choice.finish] : 'stop_sequence';
  const wantsStop = body.additionalModelResponseFieldPaths?.includes('/stop_sequence') === true;
  return {
    blocks: blocksOf(choice, hidesThinking(body), directives),
    stopReason: directives['stop-reason'] ?? (choice.refusal === undefined ? usual : 'content_filtered'),
    usage: usageOf(usage, cacheUse(usage, cache.use(body, model), directives)),
    additional: wantsStop ? { stop_sequence: stopped ?? null } : undefined,
    echoed: {
      ...(body.serviceTier === undefined ? {} : { serviceTier: { type: body.serviceTier.type } }),
      ...(body.performanceConfig === undefined ? {} : { performanceConfig: body.performanceConfig }),
    },
    tokens: usage.visible + choice.thinking.length,
  };
}

function blocksOf(choice: SpokenChoice, hidden: boolean, directives: Directives): SpokenBlock[] {
  const tagged = directives['think-as'] === 'tag' && choice.thinking.length > 0;
  const said = choice.refusal ?? choice.text;
  const text = tagged ? [...taggedThinking(choice.thinking), ...said] : said;
  return [
    ...(tagged ? [] : reasoningBlocks(choice.thinking, hidden, directives)),
    ...(text.length > 0 ? [{ type: 'text' as const, tokens: text }] : []),
    ...choice.calls.map(({ id, name, arguments: json }) => ({
      type: 'toolUse' as const,
      id: `tooluse_${id}`,
      name,
      // No arguments are no JSON, as Claude streams them.
      json: json.join('') === '{}' ? [] : json,
    })),
  ];
}

function taggedThinking(tokens: readonly string[]): string[] {
  const last = tokens.length - 1;
  return tokens.map((token, at) => `${at === 0 ? '<think>' : ''}${token}${at === last ? '</think>' : ''}`);
}

/** With `display: "omitted"` Claude thinks and shows the signature alone. */
function reasoningBlocks(thought: readonly string[], hidden: boolean, directives: Directives): SpokenBlock[] {
  if (thought.length === 0) return [];
  const tokens = hidden && directives['think-as'] !== 'redacted' ? [] : thought;
  const text = tokens.join('');
  if (directives['think-as'] === 'redacted') return [{ type: 'redacted', data: redact(text) }];
  return [{ type: 'reasoning', tokens, signature: sign('thinking', text) }];
}

/** Hides a text so that it can be checked when it comes back; base64, as bytes are in JSON. */
function redact(text: string): string {
  const hidden = Buffer.from(text).toString('base64');
  return Buffer.from(`${hidden}.${sign('redacted_thinking', hidden)}`).toString('base64');
}

function cacheUse({ prompt, cached }: SpokenUsage, used: CacheUse, directives: Directives): CacheUse {
  if (directives.cached !== undefined) return { read: cached, written: 0 };
  // The cache counts the request's JSON, which is longer than the prompt.
  const read = Math.min(used.read, prompt);
  return { read, written: Math.min(used.written, prompt - read) };
}

/** The buckets are disjoint; the total is of all of them. */
function usageOf({ prompt, visible, reasoning }: SpokenUsage, { read, written }: CacheUse): TokenUsage {
  const output = visible + reasoning;
  return {
    inputTokens: prompt - read - written,
    outputTokens: output,
    totalTokens: prompt + output,
    cacheReadInputTokens: read,
    cacheWriteInputTokens: written,
  };
}
