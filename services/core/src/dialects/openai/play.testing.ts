import assert from 'node:assert/strict';
import { SseParser } from '../../upstream/index.ts';
import type { AnswerMetadata, StreamProgress, Target } from '../dialect.ts';
import { OpenAiStream } from './stream.ts';

export const GENERATION_ID = 'gen_01K8KPJ0FZA7172X6CSGNZGDWY';
export const METADATA: AnswerMetadata = { json: '{"gateway":{"cost":"0.1"}}', atTop: false };
/** Public id of the model that answers. */
export const MODEL = 'openai/gpt-4o';
export const TARGET: Target = {
  provider: 'openai',
  model: 'gpt-4o',
  baseUrl: 'https://api.openai.com/v1',
  credentials: {},
  settings: {},
  maxOutputTokens: 0,
  publisher: '',
};

export interface Played {
  /** The client's frames, parsed; without `[DONE]`. */
  readonly chunks: readonly Chunk[];
  /** What was sent before the end was proved. */
  readonly early: readonly Chunk[];
  readonly text: string;
  readonly progress: StreamProgress;
}

export interface Chunk {
  readonly [field: string]: unknown;
  readonly choices: readonly ChunkChoice[];
}

interface ChunkChoice {
  readonly index: number;
  readonly delta: Record<string, unknown> & { tool_calls?: readonly ToolDelta[] };
  readonly finish_reason?: string | null;
}

interface ToolDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: string;
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

export interface PlayOptions {
  readonly includeUsage?: boolean;
  readonly choices?: number;
  readonly metadata?: AnswerMetadata;
  /** Lengths of the pieces in which the bytes arrive; over and over. */
  readonly cuts?: readonly number[];
}

/** Plays a provider's bytes through the decoder and takes the client's stream apart, strictly. */
export function play(bytes: string | Buffer, options: PlayOptions = {}): Played {
  const stream = new OpenAiStream({
    generationId: GENERATION_ID,
    model: MODEL,
    created: 1_700_000_000,
    target: TARGET,
    includeUsage: options.includeUsage ?? false,
    choices: options.choices ?? 1,
  });
  const frames: string[] = [];
  const out = {
    bytes: (piece: Buffer, start = 0, end = piece.length) => void frames.push(piece.toString('utf8', start, end)),
    text: (piece: string) => void frames.push(piece),
  };
  const parser = new SseParser({ onEvent: (data, name) => stream.event(data, name, out) });
  const all = Buffer.from(bytes);
  const cuts = options.cuts ?? [all.length];
  for (let at = 0, i = 0; at < all.length; i++) {
    const length = Math.max(1, cuts[i % cuts.length] ?? 1);
    // A copy of its own, as a socket gives it: what the decoder keeps may not change under it.
    parser.feed(Buffer.from(all.subarray(at, at + length)));
    at += length;
  }
  const early = parseFrames(frames.join(''));
  if (stream.complete) stream.finish(options.metadata ?? METADATA, out);
  const text = frames.join('');
  const chunks = stream.complete ? parseFrames(withoutDone(text)) : early;
  return { chunks, early, text, progress: stream };
}

function withoutDone(text: string): string {
  assert.ok(text.endsWith('data: [DONE]\n\n'), 'ends with [DONE]');
  return text.slice(0, -'data: [DONE]\n\n'.length);
}

/** Every frame is one line of JSON: what any client reads, however simple. */
function parseFrames(text: string): Chunk[] {
  if (text === '') return [];
  assert.ok(text.endsWith('\n\n'));
  return text
    .slice(0, -2)
    .split('\n\n')
    .map((frame) => {
      assert.match(frame, /^data: [^\r\n]*$/);
      return JSON.parse(frame.slice(6)) as Chunk;
    });
}

/** An event of the provider's stream. */
export const event = (chunk: unknown): string =>
  `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`;
export const DONE = 'data: [DONE]\n\n';

/** A chunk with one choice, as OpenAI sends it. */
export const chunk = (
  delta: unknown,
  finish_reason: string | null = null,
  rest: object = {},
): Record<string, unknown> => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1_755_000_000,
  model: 'gpt-4o-2024',
  choices: [{ index: 0, delta, finish_reason }],
  ...rest,
});

export interface Assembled {
  role: string;
  content: string | null;
  refusal: string | null;
  reasoning: string | null;
  tool_calls: { id: string; type: string; name: string; arguments: string }[];
  finish_reason: string | null;
}

/** Puts a choice together from its deltas, as SDKs do. */
export function assemble(chunks: readonly Chunk[], index = 0): Assembled {
  const whole: Assembled = {
    role: '',
    content: null,
    refusal: null,
    reasoning: null,
    tool_calls: [],
    finish_reason: null,
  };
  for (const { choices } of chunks) {
    for (const choice of choices) {
      if (choice.index !== index) continue;
      const { delta } = choice;
      if (typeof delta.role === 'string') whole.role = delta.role;
      for (const field of ['content', 'refusal', 'reasoning'] as const) {
        const piece = delta[field];
        if (typeof piece === 'string' && piece !== '') whole[field] = (whole[field] ?? '') + piece;
      }
      for (const call of delta.tool_calls ?? []) {
        const known = whole.tool_calls[call.index];
        if (known) {
          assert.equal(call.id, undefined, 'id on the first delta only');
          assert.equal(call.function?.name, undefined, 'name on the first delta only');
          known.arguments += call.function?.arguments ?? '';
        } else {
          assert.equal(call.index, whole.tool_calls.length, 'indexes without holes');
          assert.ok(call.id && call.type);
          whole.tool_calls.push({
            id: call.id,
            type: call.type,
            name: call.function?.name ?? '',
            arguments: call.function?.arguments ?? '',
          });
        }
      }
      assert.equal(whole.finish_reason, null, 'nothing behind the finish reason');
      whole.finish_reason = choice.finish_reason ?? null;
      if (whole.finish_reason !== null) assert.deepEqual(delta, {}, 'the finish chunk has an empty delta');
    }
  }
  return whole;
}
