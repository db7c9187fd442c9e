import assert from 'node:assert/strict';
import { type AnswerMetadata, findDialect, type Target } from '../dialects/index.ts';
import { Assembly } from './assembly.ts';
import { FrameBuffer } from './frame-buffer.ts';

export const METADATA: AnswerMetadata = { json: '{"gateway":{"cost":"0.1"}}', atTop: false };

/** One event of a provider's stream: its data, and its name. */
export type Event = readonly [data: unknown, name?: string];

export interface Provider {
  readonly dialect: string;
  readonly target?: Partial<Target>;
  readonly choices?: number;
}

export interface Whole {
  readonly id: string;
  readonly object: string;
  readonly created: number;
  readonly model: string;
  readonly choices: readonly Choice[];
  readonly usage?: Record<string, unknown>;
  readonly [member: string]: unknown;
}

interface Choice {
  readonly index: number;
  readonly message: Record<string, unknown>;
  readonly finish_reason: string | null;
  readonly [member: string]: unknown;
}

const contextOf = ({ dialect, target }: Provider) => ({
  generationId: 'gen_01K8KPJ0FZA7172X6CSGNZGDWY',
  model: 'a/b',
  created: 1_700_000_000,
  target: {
    provider: dialect,
    model: 'm',
    baseUrl: 'http://127.0.0.1:1',
    credentials: {},
    settings: {},
    maxOutputTokens: 0,
    publisher: '',
    ...target,
  },
});

function dialectOf({ dialect }: Provider) {
  const found = findDialect(dialect);
  assert.ok(found);
  return found;
}

/** A provider's JSON answer as the client gets it. */
export function decoded(provider: Provider, body: unknown, metadata = METADATA): Whole {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return JSON.parse(dialectOf(provider).decodeChat(bytes, contextOf(provider)).render(metadata).toString());
}

/** A provider's stream, put together to a whole answer; `reads` says how many events each read brings, over and over. */
export function assembled(
  provider: Provider,
  events: readonly Event[],
  { metadata = METADATA, reads = [1] }: { metadata?: AnswerMetadata; reads?: readonly number[] } = {},
): Whole {
  const context = { ...contextOf(provider), includeUsage: true, choices: provider.choices ?? 1 };
  const decoder = dialectOf(provider).streamDecoder(context);
  const assembly = new Assembly();
  const frames = new FrameBuffer(64);
  for (let at = 0, i = 0; at < events.length; i++) {
    const count = Math.max(1, reads[i % reads.length] ?? 1);
    frames.reset();
    for (const [data, name] of events.slice(at, at + count)) {
      const text = typeof data === 'string' ? data : JSON.stringify(data);
      decoder.event(Buffer.from(text), name ?? '', frames);
    }
    assembly.add(frames.view());
    at += count;
  }
  assert.ok(decoder.progress.complete, 'every choice has finished');
  frames.reset();
  decoder.finish(metadata, frames);
  assembly.add(frames.view());
  return JSON.parse(assembly.body(metadata).toString());
}
