import assert from 'node:assert/strict';
import { EventStreamCodec } from '@smithy/eventstream-codec';
import { EventStreamParser } from '../../upstream/index.ts';
import type { AnswerMetadata, StreamProgress, Target } from '../dialect.ts';
import { bedrock } from './dialect.ts';

export const GENERATION_ID = 'gen_01K8KPJ0FZA7172X6CSGNZGDWY';
const METADATA: AnswerMetadata = { json: '{"gateway":{"cost":"0.1"}}', atTop: false };

export const CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
export const NOVA = 'us.amazon.nova-pro-v1:0';

export const target = (model: string = CLAUDE): Target => ({
  provider: 'bedrock',
  model,
  baseUrl: 'https://bedrock-runtime.us-east-1.amazonaws.com',
  credentials: {},
  settings: { region: 'us-east-1' },
  maxOutputTokens: 64_000,
  publisher: '',
});

/** An answer as a client has it, whole or put together from a stream's chunks. */
export interface Answer {
  readonly content: string | null;
  readonly reasoning: string | null;
  readonly details: readonly Record<string, unknown>[];
  readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  readonly images: readonly unknown[];
  readonly annotations: readonly unknown[];
  readonly finish: string | null;
  readonly usage: Record<string, unknown> | undefined;
}

interface Delta {
  readonly content?: string | null;
  readonly reasoning?: string;
  readonly reasoning_details?: readonly Record<string, unknown>[];
  readonly tool_calls?: readonly {
    readonly index?: number;
    readonly id?: string;
    readonly function?: { readonly name?: string; readonly arguments?: string };
  }[];
  readonly images?: readonly Record<string, unknown>[];
  readonly annotations?: readonly unknown[];
}

interface Body {
  readonly choices: readonly {
    readonly message?: Delta;
    readonly delta?: Delta;
    readonly finish_reason: string | null;
  }[];
  readonly usage?: Record<string, unknown> | null;
}

export function whole(body: string | object, model: string = CLAUDE): Answer {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const answer = bedrock.decodeChat(bytes, {
    generationId: GENERATION_ID,
    model: 'a/b',
    created: 0,
    target: target(model),
  });
  const { choices, usage } = JSON.parse(answer.render(METADATA).toString()) as Body;
  assert.equal(choices.length, 1);
  return assemble([choices[0]?.message ?? {}], choices[0]?.finish_reason ?? null, usage);
}

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
);

/** A frame as the service writes it. */
export function frame(name: string, payload: unknown, kind: 'event' | 'exception' = 'event'): Buffer {
  const text = (value: string) => ({ type: 'string' as const, value });
  const headers = {
    [`:${kind}-type`]: text(name),
    ':message-type': text(kind),
    ':content-type': text('application/json'),
  };
  return Buffer.from(codec.encode({ headers, body: Buffer.from(JSON.stringify(payload)) }));
}

/** Events as `{name: payload}`. */
export const frames = (events: readonly Record<string, unknown>[]): Buffer =>
  Buffer.concat(events.flatMap((event) => Object.entries(event).map(([name, payload]) => frame(name, payload))));

export interface Streamed extends Answer {
  readonly progress: StreamProgress;
}

export interface PlayOptions {
  readonly model?: string;
  /** Lengths of the pieces in which the bytes arrive; over and over. */
  readonly cuts?: readonly number[];
}

/** Plays a stream's bytes through the parser and the decoder. `usage` is absent and `finish` null where the end is not proved. */
export function stream(bytes: Buffer, { model = CLAUDE, cuts = [bytes.length] }: PlayOptions = {}): Streamed {
  const context = { generationId: GENERATION_ID, model: 'a/b', created: 0, target: target(model) };
  const decoder = bedrock.streamDecoder({ ...context, includeUsage: true, choices: 1 });
  let sent = '';
  const out = {
    bytes: (piece: Buffer, start = 0, end = piece.length) => {
      sent += piece.toString('utf8', start, end);
    },
    text: (piece: string) => {
      sent += piece;
    },
  };
  const parser = new EventStreamParser({ onEvent: (data, name) => decoder.event(data, name, out) });
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = Math.max(1, cuts[i % cuts.length] ?? 1);
    // A copy of its own, as a socket gives it: what the decoder keeps may not change under it.
    parser.feed(Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  if (decoder.progress.complete) decoder.finish(METADATA, out);
  const chunks = sent.split('\n\n').flatMap((line) => {
    if (line === '' || line === 'data: [DONE]') return [];
    assert.match(line, /^data: [^\r\n]*$/);
    return [JSON.parse(line.slice('data: '.length)) as Body];
  });
  assert.equal(sent.endsWith('data: [DONE]\n\n'), decoder.progress.complete);
  const choices = chunks.flatMap((chunk) => chunk.choices);
  const finish = choices.find(({ finish_reason }) => finish_reason)?.finish_reason ?? null;
  const deltas = choices.map(({ delta = {} }) => delta);
  return { ...assemble(deltas, finish, chunks.at(-1)?.usage), progress: decoder.progress };
}

function assemble(deltas: readonly Delta[], finish: string | null, usage: Body['usage']): Answer {
  const toolCalls: { id: string; name: string; arguments: string }[] = [];
  const details: Record<string, unknown>[] = [];
  for (const delta of deltas) {
    (delta.tool_calls ?? []).forEach((call, i) => {
      const index = call.index ?? i;
      toolCalls[index] ??= { id: call.id ?? '', name: call.function?.name ?? '', arguments: '' };
      toolCalls[index].arguments += call.function?.arguments ?? '';
    });
    for (const piece of delta.reasoning_details ?? []) {
      const known = details.find(({ index, type }) => index === piece.index && type === piece.type);
      if (!known) details.push({ ...piece });
      else {
        const text = `${known.text ?? ''}${piece.text ?? ''}`;
        Object.assign(known, piece, text === '' ? {} : { text });
      }
    }
  }
  return {
    content: joined(deltas.map(({ content }) => content)),
    reasoning: joined(deltas.map(({ reasoning }) => reasoning)),
    details,
    toolCalls,
    images: deltas.flatMap(({ images = [] }) => images.map(({ index: _, ...image }) => image)),
    annotations: deltas.flatMap(({ annotations = [] }) => annotations),
    finish,
    usage: usage ?? undefined,
  };
}

function joined(pieces: readonly (string | null | undefined)[]): string | null {
  const said = pieces.filter((piece) => piece !== null && piece !== undefined);
  return said.length === 0 ? null : said.join('');
}
