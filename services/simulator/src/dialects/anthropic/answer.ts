import type { MessageCreateParams, StopReason, TextCitation, Usage } from '@anthropic-ai/sdk/resources/messages';
import type { Directives } from '../../faults/directives.ts';
import { composeAnswer, type SpokenCall, type SpokenChoice } from '../../speech/answer.ts';
import { sign } from '../../speech/signature.ts';
import type { PrefixCache } from '../../text/prefixCache.ts';
import type { PromptCache } from './promptCache.ts';
import type { MessagesRequest } from './request.ts';

/** A block as it is said: in tokens where it comes in pieces. */
export type SpokenBlock =
  | { readonly type: 'text'; readonly tokens: readonly string[]; readonly citations: readonly TextCitation[] }
  | { readonly type: 'thinking'; readonly tokens: readonly string[]; readonly signature: string }
  | { readonly type: 'redacted_thinking'; readonly data: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly json: readonly string[] };

/** The usage as Anthropic's models report it; the buckets are disjoint. */
export type WireUsage = Pick<
  Usage,
  'input_tokens' | 'output_tokens' | 'cache_creation_input_tokens' | 'cache_read_input_tokens'
> & {
  cache_creation: NonNullable<Usage['cache_creation']>;
  service_tier: 'standard';
  inference_geo: string;
  output_tokens_details?: { thinking_tokens: number };
};

export interface MessageAnswer {
  readonly blocks: readonly SpokenBlock[];
  readonly stopReason: StopReason | string;
  readonly stopSequence: string | null;
  readonly refusal: string | undefined;
  readonly usage: WireUsage;
  /** Tokens that the client gets to see. */
  readonly tokens: number;
}

const stopReasons = {
  stop: 'end_turn',
  length: 'max_tokens',
  tool_calls: 'tool_use',
  content_filter: 'refusal',
} as const satisfies Record<SpokenChoice['finish'], StopReason>;

/** `counter` only counts; what is read from and written to the cache is `cache`'s affair. */
export function answerMessage(
  { params, conversation }: MessagesRequest,
  model: string,
  directives: Directives,
  counter: PrefixCache,
  cache: PromptCache,
): MessageAnswer {
  const { choices, usage } = composeAnswer(conversation, directives, counter);
  const [choice] = choices;
  if (choice === undefined) throw new Error('An answer has one choice.');
  const refused = choice.refusal !== undefined;
  const stopped = choice.stopped !== undefined && choice.finish === 'stop';
  return {
    blocks: blocksOf(choice, params, directives),
    stopReason:
      directives['stop-reason'] ?? (refused ? 'refusal' : stopped ? 'stop_sequence' : stopReasons[choice.finish]),
    stopSequence: stopped ? (choice.stopped ?? null) : null,
    refusal: choice.refusal?.join(''),
    usage: usageOf(
      usage.prompt,
      usage.visible,
      usage.reasoning,
      cacheUse(params, model, usage.prompt, directives, cache),
    ),
    tokens: usage.visible + choice.thinking.length,
  };
}

function blocksOf(choice: SpokenChoice, params: MessageCreateParams, directives: Directives): SpokenBlock[] {
  const said = choice.refusal ?? choice.text;
  const citations = choice.text.length > 0 ? citationsOf(params) : [];
  return [
    ...thinkingBlocks(choice.thinking, params, directives),
    ...(said.length > 0 ? [{ type: 'text' as const, tokens: said, citations }] : []),
    ...choice.calls.map(toolUse),
  ];
}

function thinkingBlocks(tokens: readonly string[], params: MessageCreateParams, directives: Directives): SpokenBlock[] {
  if (tokens.length === 0) return [];
  const { thinking } = params;
  if (directives['think-as'] === 'redacted') return [{ type: 'redacted_thinking', data: redact(tokens.join('')) }];
  const omitted = thinking !== undefined && 'display' in thinking && thinking.display === 'omitted';
  const shown = omitted ? [] : tokens;
  return [{ type: 'thinking', tokens: shown, signature: sign('thinking', shown.join('')) }];
}

/** Hides a text so that it can be checked when it comes back. */
function redact(text: string): string {
  const hidden = Buffer.from(text).toString('base64');
  return Buffer.from(`${hidden}.${sign('redacted_thinking', hidden)}`).toString('base64');
}

function toolUse({ id, name, arguments: json }: SpokenCall): SpokenBlock {
  // No arguments are no JSON, as Anthropic streams them.
  const said = json.join('') === '{}' ? [] : json;
  return { type: 'tool_use', id: `toolu_${id}`, name, json: said };
}

/** One citation for each document that asks for them. */
function citationsOf({ messages }: MessageCreateParams): TextCitation[] {
  const documents = messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.flatMap((block) => (block.type === 'document' ? [block] : [])),
  );
  return documents.flatMap((document, index): TextCitation[] => {
    if (document.citations?.enabled !== true) return [];
    const common = { document_index: index, document_title: document.title ?? null, file_id: null };
    if (document.source.type === 'text') {
      const cited = document.source.data.slice(0, 40);
      return [
        { ...common, type: 'char_location', cited_text: cited, start_char_index: 0, end_char_index: cited.length },
      ];
    }
    return [{ ...common, type: 'page_location', cited_text: 'page 1', start_page_number: 1, end_page_number: 2 }];
  });
}

interface CacheTokens {
  readonly read: number;
  readonly written5m: number;
  readonly written1h: number;
}

function cacheUse(
  params: MessageCreateParams,
  model: string,
  prompt: number,
  directives: Directives,
  cache: PromptCache,
): CacheTokens {
  const used = cache.use(params, model);
  if (directives.cached !== undefined) return { read: Math.min(directives.cached, prompt), written5m: 0, written1h: 0 };
  // The cache counts the request's JSON, which is longer than the prompt.
  const read = Math.min(used.read, prompt);
  const written5m = Math.min(used.written5m, prompt - read);
  return { read, written5m, written1h: Math.min(used.written1h, prompt - read - written5m) };
}

function usageOf(prompt: number, visible: number, thinking: number, cached: CacheTokens): WireUsage {
  const { read, written5m, written1h } = cached;
  return {
    input_tokens: prompt - read - written5m - written1h,
    cache_creation_input_tokens: written5m + written1h,
    cache_read_input_tokens: read,
    cache_creation: { ephemeral_5m_input_tokens: written5m, ephemeral_1h_input_tokens: written1h },
    output_tokens: visible + thinking,
    ...(thinking > 0 ? { output_tokens_details: { thinking_tokens: thinking } } : {}),
    service_tier: 'standard',
    inference_geo: 'not_available',
  };
}
