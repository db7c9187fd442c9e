import assert from 'node:assert/strict';
import { SseParser } from '../../upstream/index.ts';
import type { AnswerMetadata, Dialect, StreamProgress, Target } from '../dialect.ts';

export const GENERATION_ID = 'gen_01K8KPJ0FZA7172X6CSGNZGDWY';
const METADATA: AnswerMetadata = { json: '{"gateway":{"cost":"0.1"}}', atTop: false };
/** Public id of the model that answers. */
const MODEL = 'google/gemini-3-pro';

export const TARGET: Target = {
  provider: 'gemini',
  model: 'gemini-3-pro-preview',
  baseUrl: 'https://generativelanguage.googleapis.com',
  credentials: { apiKey: 'AIza-test-key' },
  settings: {},
  maxOutputTokens: 65_536,
  publisher: '',
};

/** One choice as a client has it, of a whole answer or put together from a stream's chunks. */
export interface Message {
  readonly content: string | null;
  readonly refusal: string | null;
  readonly reasoning: string | null;
  readonly details: readonly Record<string, unknown>[];
  readonly toolCalls: readonly ToolCall[];
  readonly images: readonly unknown[];
  readonly annotations: readonly unknown[];
  readonly finish: string;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  readonly extra: unknown;
}

export interface Answer {
  readonly messages: readonly Message[];
  readonly usage: Record<string, unknown> | undefined;
}

interface Delta {
  readonly content?: string | null;
  readonly refusal?: string | null;
  readonly reasoning?: string;
  readonly reasoning_details?: readonly Record<string, unknown>[];
  readonly tool_calls?: readonly {
    readonly index?: number;
    readonly id?: string;
    readonly function?: { readonly name?: string; readonly arguments?: string };
    readonly extra_content?: unknown;
  }[];
  readonly images?: readonly Record<string, unknown>[];
  readonly annotations?: readonly unknown[];
}

interface Choice {
  readonly index: number;
  readonly message?: Delta;
  readonly delta?: Delta;
  readonly finish_reason: string | null;
}

interface Body {
  readonly id: string;
  readonly choices: readonly Choice[];
  readonly usage?: Record<string, unknown> | null;
}

/** A whole answer, decoded and rendered. */
export function whole(dialect: Dialect, body: string | Buffer, target: Target = TARGET): Answer {
  const answer = dialect.decodeChat(Buffer.from(body), {
    generationId: GENERATION_ID,
    model: MODEL,
    created: 0,
    target,
  });
  const parsed = JSON.parse(answer.render(METADATA).toString()) as Body;
  return {
    messages: parsed.choices.map(({ message = {}, finish_reason }) => join([message], finish_reason)),
    usage: parsed.usage ?? undefined,
  };
}

export interface Streamed extends Answer {
  readonly progress: StreamProgress;
}

/** A stream's bytes in pieces of these lengths, over and over, through the parser and the decoder. */
export function stream(
  dialect: Dialect,
  bytes: string | Buffer,
  { cuts, choices = 1, target = TARGET }: { cuts?: readonly number[]; choices?: number; target?: Target } = {},
): Streamed {
  const context = { generationId: GENERATION_ID, model: MODEL, created: 0, target };
  const decoder = dialect.streamDecoder({ ...context, includeUsage: true, choices });
  let sent = '';
  const out = {
    bytes: (piece: Buffer, start = 0, end = piece.length) => {
      sent += piece.toString('utf8', start, end);
    },
    text: (piece: string) => {
      sent += piece;
    },
  };
  const parser = new SseParser({ onEvent: (data, name) => decoder.event(data, name, out) });
  const all = Buffer.from(bytes);
  const lengths = cuts ?? [all.length];
  for (let at = 0, i = 0; at < all.length; i++) {
    const length = Math.max(1, lengths[i % lengths.length] ?? 1);
    // A copy of its own, as a socket gives it: what the decoder keeps may not change under it.
    parser.feed(Buffer.from(all.subarray(at, at + length)));
    at += length;
  }
  assert.ok(decoder.progress.complete, 'the stream has not finished every choice');
  decoder.finish(METADATA, out);
  return { ...assemble(sent), progress: decoder.progress };
}

function assemble(sent: string): Answer {
  const frames = sent.split('\n\n').slice(0, -1);
  assert.equal(frames.at(-1), 'data: [DONE]');
  const chunks = frames.slice(0, -1).map((frame) => JSON.parse(frame.slice('data: '.length)) as Body);
  const deltas = new Map<number, Delta[]>();
  const finishes = new Map<number, string>();
  for (const { id, choices } of chunks) {
    assert.equal(id, GENERATION_ID);
    for (const { index, delta = {}, finish_reason } of choices) {
      deltas.set(index, [...(deltas.get(index) ?? []), delta]);
      if (finish_reason) finishes.set(index, finish_reason);
    }
  }
  const messages = [...deltas].sort(([a], [b]) => a - b).map(([index, all]) => join(all, finishes.get(index) ?? null));
  return { messages, usage: chunks.at(-1)?.usage ?? undefined };
}

function join(deltas: readonly Delta[], finish: string | null): Message {
  assert.ok(finish, 'a choice has no finish reason');
  const calls: { id: string; name: string; arguments: string; extra: unknown }[] = [];
  const details: Record<string, unknown>[] = [];
  for (const delta of deltas) {
    (delta.tool_calls ?? []).forEach((call, i) => {
      const index = call.index ?? i;
      calls[index] ??= { id: call.id ?? '', name: call.function?.name ?? '', arguments: '', extra: call.extra_content };
      calls[index].arguments += call.function?.arguments ?? '';
    });
    for (const detail of delta.reasoning_details ?? []) joinDetail(details, detail);
  }
  return {
    content: joined(deltas.map(({ content }) => content)),
    refusal: joined(deltas.map(({ refusal }) => refusal)),
    reasoning: joined(deltas.map(({ reasoning }) => reasoning)),
    details,
    toolCalls: calls,
    images: deltas.flatMap(({ images = [] }) => images.map(({ index: _, ...image }) => image)),
    annotations: deltas.flatMap(({ annotations = [] }) => annotations),
    finish,
  };
}

function joinDetail(details: Record<string, unknown>[], piece: Record<string, unknown>): void {
  const known = details.find(({ index, type }) => index === piece.index && type === piece.type);
  if (known) Object.assign(known, piece, { text: `${known.text ?? ''}${piece.text ?? ''}` });
  else details.push({ ...piece });
}

function joined(pieces: readonly (string | null | undefined)[]): string | null {
  const said = pieces.filter((piece) => piece !== null && piece !== undefined);
  return said.length === 0 ? null : said.join('');
}
