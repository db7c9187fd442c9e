import type { ChatCompletion } from 'openai/resources/chat/completions';
import type { CompletionUsage } from 'openai/resources/completions';
import type { Directives } from '../../faults/directives.ts';
import type { PrefixCache } from '../../text/prefixCache.ts';
import { prose } from '../../text/prose.ts';
import { seedOf } from '../../text/random.ts';
import { sampleOf } from '../../text/sample.ts';
import { countTokens, tokenize } from '../../text/tokens.ts';
import type { ChatRequest, Turn } from './chatRequest.ts';
import { planCalls } from './toolCalls.ts';

/** A tool call with its arguments in tokens. The call itself (id and name) counts as one token. */
export interface SpokenCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: readonly string[];
}

/** One choice, in tokens in the order in which they are said: thinking, refusal or text, calls. */
export interface SpokenChoice {
  readonly thinking: readonly string[];
  readonly refusal: readonly string[] | undefined;
  readonly text: readonly string[];
  readonly calls: readonly SpokenCall[];
  readonly finish: ChatCompletion.Choice['finish_reason'];
}

export interface ChatAnswer {
  readonly choices: readonly SpokenChoice[];
  readonly usage: CompletionUsage;
}

/** Tokens that each image costs, and each kilobyte of a file or of sound. */
const imageTokens = 85;
const tokensPerKilobyte = 10;
/** Tokens of one message besides its text, and of the answer's beginning. */
const messageOverhead = 3;

const effortTokens = { none: 0, minimal: 8, low: 16, medium: 32, high: 64, xhigh: 128, max: 256 } as const;

/** The same request always gets the same answer, whatever the model's name and its faults are. */
export function composeAnswer(request: ChatRequest, directives: Directives, cache: PrefixCache): ChatAnswer {
  const hidden = directives['reasoning-tokens'] ?? effortTokens[request.params.reasoning_effort ?? 'none'];
  const seed = conversationSeed(request, directives);
  const choices = Array.from({ length: request.params.n ?? 1 }, (_, index) =>
    composeChoice(request, directives, index === 0 ? seed : seedOf(seed, index), hidden),
  );
  return { choices, usage: countUsage(request, directives, cache, choices, hidden) };
}

/** Tokens of a choice that the client gets to see, each in its own event of a stream. */
export function visibleTokens(choice: SpokenChoice): number {
  const calls = choice.calls.reduce((sum, call) => sum + 1 + call.arguments.length, 0);
  return choice.thinking.length + (choice.refusal?.length ?? 0) + choice.text.length + calls;
}

function conversationSeed({ params, turns }: ChatRequest, directives: Directives): number {
  const said = heard(turns, directives).map(({ role, text, media }) => `${role}: ${text} ${JSON.stringify(media)}`);
  return seedOf(...said, params.seed ?? '', directives.salt ?? '');
}

/** The conversation that is answered: a prefill that is continued is not part of it. */
function heard(turns: readonly Turn[], { prefill }: Directives): readonly Turn[] {
  return prefill === 'continue' && turns.at(-1)?.role === 'assistant' ? turns.slice(0, -1) : turns;
}

function composeChoice(request: ChatRequest, directives: Directives, seed: number, hidden: number): SpokenChoice {
  const thinking =
    directives.think === undefined ? [] : prose({ seed: seedOf(seed, 'think'), tokens: directives.think });
  const budget = new Budget((request.maxTokens ?? Number.POSITIVE_INFINITY) - hidden);
  const said = { thinking: budget.take(thinking), refusal: undefined, text: [], calls: [] };
  const end = (usual: SpokenChoice['finish']) => directives.finish ?? (budget.exceeded ? 'length' : usual);

  if (directives.empty) return { ...said, finish: end('stop') };
  if (directives.refusal !== undefined) {
    const refusal = budget.take(tokenize(directives.refusal || "I'm sorry, I can't assist with that."));
    return { ...said, refusal, finish: end('stop') };
  }
  const planned = planCalls(request, directives, seed);
  if (planned.length > 0) {
    const calls: SpokenCall[] = [];
    for (const [index, call] of planned.entries()) {
      if (!budget.takeOne()) break;
      calls.push({
        id: `call_${seedOf(seed, index, call.arguments).toString(36).padStart(7, '0')}${String(index).padStart(17, '0')}`,
        name: call.name,
        arguments: budget.take(tokenize(call.arguments)),
      });
    }
    return { ...said, calls, finish: end('tool_calls') };
  }
  return { ...said, text: budget.take(composeText(request, directives, seed)), finish: end('stop') };
}

/** What `max_tokens` leaves to say. */
class Budget {
  exceeded = false;
  #left: number;

  constructor(tokens: number) {
    this.#left = tokens;
  }

  take(tokens: readonly string[]): readonly string[] {
    const taken = tokens.length <= this.#left ? tokens : tokens.slice(0, Math.max(0, this.#left));
    if (taken.length < tokens.length) this.exceeded = true;
    this.#left -= taken.length;
    return taken;
  }

  takeOne(): boolean {
    return this.take(['']).length === 1;
  }
}

function composeText(request: ChatRequest, directives: Directives, seed: number): readonly string[] {
  if (directives.pad !== undefined) {
    const token = `${'x'.repeat(Math.max(0, directives.pad - 1))} `;
    return new Array<string>(directives.tokens ?? 16).fill(token);
  }
  const whole = directives.text === undefined ? usualText(request, directives, seed) : tokenize(directives.text);
  const rest = withoutPrefill(whole, request, directives);
  const ends = request.stop.map((stop) => rest.join('').indexOf(stop)).filter((at) => at >= 0);
  return ends.length === 0 ? rest : tokenize(rest.join('').slice(0, Math.min(...ends)));
}

function usualText(request: ChatRequest, directives: Directives, seed: number): readonly string[] {
  const format = request.params.response_format;
  if (format?.type === 'json_schema') return tokenize(JSON.stringify(sampleOf(format.json_schema.schema, { seed })));
  if (format?.type === 'json_object') return tokenize(JSON.stringify({ answer: prose({ seed }).join('') }));
  const { tokens } = directives;
  const spoken = prose({ seed, ...(tokens === undefined ? {} : { tokens }), multibyte: directives.emoji ?? false });
  if (tokens !== undefined) return spoken;
  return [...tokenize(observations(request.turns)), ...spoken];
}

/** What the model noticed: images, files, and what the tools answered. */
function observations(turns: readonly Turn[]): string {
  const media = turns.flatMap((turn) => turn.media);
  const seen = (kind: string) => media.filter((medium) => medium.kind === kind);
  const images = seen('image').map(({ mediaType, bytes, name }) => (bytes > 0 ? `${mediaType}, ${bytes} bytes` : name));
  const files = seen('file').map(({ mediaType, bytes, name }) => `${name || 'unnamed'}, ${mediaType}, ${bytes} bytes`);
  const sounds = seen('audio').map(({ mediaType, bytes }) => `${mediaType}, ${bytes} bytes`);
  const results = turns
    .slice(turns.findLastIndex(({ role }) => role === 'assistant') + 1)
    .filter(({ role }) => role === 'tool');
  return [
    ...listed('I see', 'image', images),
    ...listed('I read', 'file', files),
    ...listed('I hear', 'sound', sounds),
    ...results.map(({ text }) => `The tool says: ${text.slice(0, 200)}. `),
  ].join('');
}

function listed(verb: string, noun: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  return [`${verb} ${items.length} ${noun}${items.length === 1 ? '' : 's'} (${items.join('; ')}). `];
}

function withoutPrefill(tokens: readonly string[], { turns }: ChatRequest, directives: Directives): readonly string[] {
  const last = turns.at(-1);
  if (directives.prefill !== 'continue' || last?.role !== 'assistant') return tokens;
  const text = tokens.join('');
  const prefix = [last.text, last.text.trimEnd()].find((candidate) => text.startsWith(candidate));
  return prefix === undefined ? tokens : tokenize(text.slice(prefix.length));
}

function countUsage(
  request: ChatRequest,
  directives: Directives,
  cache: PrefixCache,
  choices: readonly SpokenChoice[],
  hidden: number,
): CompletionUsage {
  const { params, turns } = request;
  const tools = params.tools === undefined ? '' : JSON.stringify(params.tools);
  const measured = cache.measure([tools, ...turns.map(({ role, text }) => `${role}\n${text}\n`)].join(''));
  const texts = turns.reduce((sum, { text }) => sum + countTokens(text) + messageOverhead, messageOverhead);
  const media = turns.flatMap((turn) => turn.media).reduce((sum, { kind, bytes }) => sum + mediaTokens(kind, bytes), 0);
  const promptTokens = texts + countTokens(tools) + media;
  const reasoningEach = choices.map((choice) => Math.min(hidden, request.maxTokens ?? hidden) + choice.thinking.length);
  const reasoning = reasoningEach.reduce((sum, tokens) => sum + tokens, 0);
  const visible = choices.reduce((sum, choice) => sum + visibleTokens(choice) - choice.thinking.length, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: visible + reasoning,
    total_tokens: promptTokens + visible + reasoning,
    prompt_tokens_details: {
      cached_tokens: Math.min(promptTokens, directives.cached ?? measured.cached),
      audio_tokens: 0,
    },
    completion_tokens_details: {
      reasoning_tokens: reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function mediaTokens(kind: string, bytes: number): number {
  return kind === 'image' ? imageTokens : Math.ceil(bytes / 1024) * tokensPerKilobyte;
}
