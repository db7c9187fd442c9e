import type { Directives } from '../faults/directives.ts';
import { seedOf } from '../text/random.ts';

/** What the model "saw". */
export interface Medium {
  readonly kind: 'image' | 'file' | 'audio';
  readonly mediaType: string;
  /** 0 when only a URL or an id was given. */
  readonly bytes: number;
  readonly name: string;
}

/** One message as far as an answer depends on it: its text is free of directives. */
export interface Turn {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly text: string;
  readonly media: readonly Medium[];
}

export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments, with the type names in lower case. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ToolChoice {
  readonly mode: 'auto' | 'none' | 'required';
  /** Only these may be called. */
  readonly only?: readonly string[];
}

/** A request in no provider's language: two dialects that read the same conversation give the same answer. */
export interface Conversation {
  readonly turns: readonly Turn[];
  readonly tools: readonly Tool[];
  readonly toolChoice: ToolChoice;
  readonly parallelCalls: boolean;
  /** What the text must be: JSON of this schema, any JSON object, or prose. */
  readonly format: { readonly schema: unknown } | 'json' | 'prose';
  readonly stop: readonly string[];
  readonly maxTokens: number | undefined;
  readonly choices: number;
  readonly seed: string | number | undefined;
  /** Tokens of reasoning that are only counted, unless a directive says otherwise. */
  readonly hiddenTokens: number;
  /** Tokens of reasoning that are shown, unless a directive says otherwise. */
  readonly thinkingTokens: number;
  /** What becomes of a trailing assistant message, unless a directive says otherwise. */
  readonly prefill: 'ignore' | 'continue';
}

/** Tokens of reasoning by effort; the scale of every dialect. */
export const effortTokens = { none: 0, minimal: 8, low: 16, medium: 32, high: 64, xhigh: 128, max: 256 } as const;

/**
 * The turns as every dialect can say them: system texts first, neighbours of one role joined. A conversation that went
 * through a translation, where roles must alternate or system stands apart, comes out the same.
 */
export function canonicalTurns(turns: readonly Turn[]): readonly Turn[] {
  const system = turns.filter(({ role }) => role === 'system');
  const joined: Turn[] = [];
  for (const turn of [...system, ...turns.filter(({ role }) => role !== 'system')]) {
    const last = joined.at(-1);
    if (last === undefined || last.role !== turn.role || turn.role === 'tool') joined.push(turn);
    else
      joined.splice(-1, 1, { ...turn, text: joinTexts(last.text, turn.text), media: [...last.media, ...turn.media] });
  }
  return joined;
}

function joinTexts(...texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join('\n');
}

/** The conversation that is answered: a prefill that is continued is not part of it. */
export function heardTurns(conversation: Conversation, directives: Directives): readonly Turn[] {
  const { turns } = conversation;
  return continuesPrefill(conversation, directives) ? turns.slice(0, -1) : turns;
}

export function continuesPrefill({ turns, prefill }: Conversation, directives: Directives): boolean {
  const becomes = directives.prefill ?? prefill;
  return (becomes === 'continue' || becomes === 'echo') && turns.at(-1)?.role === 'assistant';
}

/** Depends on what was said, not on how a dialect carries it: of media only the kind, of JSON only the value. */
export function conversationSeed(conversation: Conversation, directives: Directives): number {
  const said = heardTurns(conversation, directives).map(
    ({ role, text, media }) => `${role}: ${compactJson(text)} ${JSON.stringify(media.map(({ kind }) => kind))}`,
  );
  return seedOf(...said, conversation.seed ?? '', directives.salt ?? '');
}

/** A call as part of an assistant's text. `args` is JSON text or the value itself. */
export function calledText(name: string, args: unknown): string {
  return `${name}(${typeof args === 'string' ? compactJson(args) : JSON.stringify(args ?? {})})`;
}

/** JSON without its white space; any other text as it is. */
function compactJson(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}
