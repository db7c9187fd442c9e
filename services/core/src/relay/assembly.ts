import type { AnswerMetadata } from '../dialects/index.ts';
import { AssembledChoice, type ChunkChoice, join } from './assembled-choice.ts';

interface Chunk {
  readonly id?: unknown;
  readonly created?: unknown;
  readonly model?: unknown;
  readonly choices?: readonly ChunkChoice[];
  readonly usage?: unknown;
  readonly [member: string]: unknown;
}

const PREFIX = 'data: ';
const NO_TEXTS: ReadonlySet<string> = new Set();

/** Puts the frames of an OpenAI stream together to the `chat.completion` that the same answer is as JSON (DESIGN 5, law 1). */
export class Assembly {
  readonly #choices = new Map<number, AssembledChoice>();
  readonly #others: Record<string, unknown> = {};
  #head: Pick<Chunk, 'id' | 'created' | 'model'> | null = null;
  #usage: unknown = null;

  /** Any number of whole frames, as stream decoders write them. */
  add(frames: Buffer): void {
    for (const frame of frames.toString('utf8').split('\n\n')) {
      const data = frame.slice(PREFIX.length);
      if (data !== '' && data !== '[DONE]') this.#addChunk(JSON.parse(data) as Chunk);
    }
  }

  /** What has no place here stands elsewhere in the answer; `obfuscation` is padding, and has none. */
  #addChunk(chunk: Chunk): void {
    const { id, object: _, created, model, choices, usage, provider_metadata: __, obfuscation: ___, ...others } = chunk;
    this.#head ??= { id, created, model };
    this.#usage = usage ?? this.#usage;
    for (const choice of choices ?? []) this.#at(choice.index ?? 0).add(choice);
    join(this.#others, others, NO_TEXTS);
  }

  #at(index: number): AssembledChoice {
    let choice = this.#choices.get(index);
    if (!choice) {
      choice = new AssembledChoice(index);
      this.#choices.set(index, choice);
    }
    return choice;
  }

  /** The whole answer as JSON text, `provider_metadata` in each message and, if that is wished, at the top (WIRE 2.4). */
  body({ json, atTop }: AnswerMetadata): Buffer {
    const { id, created, model } = this.#head ?? {};
    const head = JSON.stringify({ id, object: 'chat.completion', created, model });
    const choices = [...this.#choices.values()].sort((a, b) => a.index - b.index).map((choice) => choice.json(json));
    const rest = JSON.stringify({ ...(this.#usage === null ? {} : { usage: this.#usage }), ...this.#others });
    const others = rest === '{}' ? '' : `,${rest.slice(1, -1)}`;
    const top = atTop ? `,"provider_metadata":${json}` : '';
    return Buffer.from(`${head.slice(0, -1)},"choices":[${choices.join(',')}]${others}${top}}`);
  }
}
