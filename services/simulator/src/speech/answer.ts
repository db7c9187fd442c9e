import type { Directives } from '../faults/directives.ts';
import type { MeasuredPrompt, PrefixCache } from '../text/prefixCache.ts';
import { prose } from '../text/prose.ts';
import { seedOf } from '../text/random.ts';
import { sampleOf } from '../text/sample.ts';
import { countTokens, tokenize } from '../text/tokens.ts';
import {
  type Conversation,
  canonicalTurns,
  continuesPrefill,
  conversationSeed,
  type Medium,
  type Turn,
} from './conversation.ts';
import { planCalls } from './toolCalls.ts';

/** A tool call with its arguments in tokens. The call itself (id and name) counts as one token. */
export interface SpokenCall {
  /** 24 letters and digits, for the dialect to put its prefix before. */
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
  readonly finish: 'stop' | 'length' | 'tool_calls' | 'content_filter';
  /** The stop sequence that ended the text. */
  readonly stopped: string | undefined;
}

/** Tokens, each counted once: `reasoning` is hidden and shown reasoning, `visible` all the rest that was said. */
export interface SpokenUsage {
  readonly prompt: number;
  /** Of `prompt`: what an earlier prompt began with, too. */
  readonly cached: number;
  readonly reasoning: number;
  readonly visible: number;
}

export interface SpokenAnswer {
  readonly choices: readonly SpokenChoice[];
  readonly usage: SpokenUsage;
}

/** Tokens that each image costs, and each kilobyte of a file or of sound. */
const imageTokens = 85;
const tokensPerKilobyte = 10;
/** Tokens of one message besides its text, and of the answer's beginning. */
const messageOverhead = 3;

/** The same conversation always gets the same answer, whatever the model's name, its faults and its dialect are. */
export function composeAnswer(asked: Conversation, directives: Directives, cache: PrefixCache): SpokenAnswer {
  const conversation = { ...asked, turns: canonicalTurns(asked.turns) };
  const hidden = directives['reasoning-tokens'] ?? conversation.hiddenTokens;
  const seed = conversationSeed(conversation, directives);
  const choices = Array.from({ length: conversation.choices }, (_, index) =>
    composeChoice(conversation, directives, index === 0 ? seed : seedOf(seed, index), hidden),
  );
  const { tokens, cached } = measurePrompt(asked, cache);
  const reasoning = choices.map(({ thinking }) => Math.min(hidden, asked.maxTokens ?? hidden) + thinking.length);
  return {
    choices,
    usage: {
      prompt: tokens,
      cached: Math.min(tokens, directives.cached ?? cached),
      reasoning: reasoning.reduce((sum, each) => sum + each, 0),
      visible: choices.reduce((sum, choice) => sum + visibleTokens(choice) - choice.thinking.length, 0),
    },
  };
}

/** Tokens of a choice that the client gets to see. */
export function visibleTokens(choice: SpokenChoice): number {
  const calls = choice.calls.reduce((sum, call) => sum + 1 + call.arguments.length, 0);
  return choice.thinking.length + (choice.refusal?.length ?? 0) + choice.text.length + calls;
}

/** Counts the prompt and remembers it in `cache`. */
export function measurePrompt(conversation: Conversation, cache: PrefixCache): MeasuredPrompt {
  const turns = canonicalTurns(conversation.turns);
  const tools = conversation.tools.length === 0 ? '' : JSON.stringify(conversation.tools);
  const { cached } = cache.measure([tools, ...turns.map(({ role, text }) => `${role}\n${text}\n`)].join(''));
  const texts = turns.reduce((sum, { text }) => sum + countTokens(text) + messageOverhead, messageOverhead);
  const media = turns.flatMap((turn) => turn.media).reduce((sum, medium) => sum + mediaTokens(medium), 0);
  return { tokens: texts + countTokens(tools) + media, cached };
}

export function mediaTokens({ kind, bytes }: Medium): number {
  return kind === 'image' ? imageTokens : Math.ceil(bytes / 1024) * tokensPerKilobyte;
}

function composeChoice(conversation: Conversation, directives: Directives, seed: number, hidden: number): SpokenChoice {
  const thoughts = directives.think ?? conversation.thinkingTokens;
  const thinking = thoughts === 0 ? [] : prose({ seed: seedOf(seed, 'think'), tokens: thoughts });
  const budget = new Budget((conversation.maxTokens ?? Number.POSITIVE_INFINITY) - hidden);
  const said = { thinking: budget.take(thinking), refusal: undefined, text: [], calls: [], stopped: undefined };
  const end = (usual: SpokenChoice['finish']) => directives.finish ?? (budget.exceeded ? 'length' : usual);

  if (directives.empty) return { ...said, finish: end('stop') };
  if (directives.refusal !== undefined) {
    const refusal = budget.take(tokenize(directives.refusal || "I'm sorry, I can't assist with that."));
    return { ...said, refusal, finish: end('stop') };
  }
  const planned = planCalls(conversation, directives, seed);
  if (planned.length > 0) {
    const calls: SpokenCall[] = [];
    for (const [index, call] of planned.entries()) {
      if (!budget.takeOne()) break;
      calls.push({
        id: `${seedOf(seed, index, call.arguments).toString(36).padStart(7, '0')}${String(index).padStart(17, '0')}`,
        name: call.name,
        arguments: budget.take(tokenize(call.arguments)),
      });
    }
    return { ...said, calls, finish: end('tool_calls') };
  }
  const { text, stopped } = composeText(conversation, directives, seed);
  const taken = budget.take(text);
  return { ...said, text: taken, finish: end('stop'), stopped: taken.length === text.length ? stopped : undefined };
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

interface Text {
  readonly text: readonly string[];
  readonly stopped: string | undefined;
}

function composeText(conversation: Conversation, directives: Directives, seed: number): Text {
  if (directives.pad !== undefined) {
    const token = `${'x'.repeat(Math.max(0, directives.pad - 1))} `;
    return { text: new Array<string>(directives.tokens ?? 16).fill(token), stopped: undefined };
  }
  const whole = directives.text === undefined ? usualText(conversation, directives, seed) : tokenize(directives.text);
  return untilStop(withoutPrefill(whole, conversation, directives), conversation.stop);
}

function untilStop(text: readonly string[], stops: readonly string[]): Text {
  if (stops.length === 0) return { text, stopped: undefined };
  const joined = text.join('');
  const found = stops.map((stop) => ({ stop, at: joined.indexOf(stop) })).filter(({ at }) => at >= 0);
  const [first] = found.sort((a, b) => a.at - b.at);
  return first === undefined
    ? { text, stopped: undefined }
    : { text: tokenize(joined.slice(0, first.at)), stopped: first.stop };
}

function usualText({ format, turns }: Conversation, directives: Directives, seed: number): readonly string[] {
  if (format === 'json') return tokenize(JSON.stringify({ answer: prose({ seed }).join('') }));
  if (format !== 'prose') return tokenize(JSON.stringify(sampleOf(format.schema, { seed })));
  const { tokens } = directives;
  const spoken = prose({ seed, ...(tokens === undefined ? {} : { tokens }), multibyte: directives.emoji ?? false });
  if (tokens !== undefined) return spoken;
  return [...tokenize(observations(turns)), ...spoken];
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

function withoutPrefill(
  tokens: readonly string[],
  conversation: Conversation,
  directives: Directives,
): readonly string[] {
  const last = conversation.turns.at(-1);
  if (last === undefined || !continuesPrefill(conversation, directives)) return tokens;
  const text = tokens.join('');
  const prefix = [last.text, last.text.trimEnd()].find((candidate) => text.startsWith(candidate));
  // Mistral says it again, in one piece, without the white space at its end.
  if (directives.prefill === 'echo') {
    const echo = last.text.trimEnd();
    return [echo, ...(prefix === undefined ? tokens : tokenize(text.slice(echo.length)))];
  }
  return prefix === undefined ? tokens : tokenize(text.slice(prefix.length));
}
