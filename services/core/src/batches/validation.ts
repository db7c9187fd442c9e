import type { BatchEndpoint, BatchProblem, Shard } from './contract.ts';
import { inputLines } from './input-lines.ts';
import { countInputs, isProblem, readLine } from './line-request.ts';

export interface BatchCaps {
  /** Of one line. */
  readonly lineBytes: number;
  readonly requests: number;
  /** Texts to be embedded, of all lines together. */
  readonly embeddingInputs: number;
}

/** One job's work: whichever comes first ends a shard. */
export interface ShardSize {
  readonly requests: number;
  readonly bytes: number;
}

export interface ValidInput {
  readonly shards: readonly Shard[];
  readonly total: number;
  /** The only model of all lines; null where there are several. */
  readonly model: string | null;
}

/** More are not told. */
const MOST_PROBLEMS = 100;

/** Reads the whole input once, and says what is wrong with it, or how it is to be worked through. Holds one line at a time, and all ids. */
export async function validate(
  pieces: AsyncIterable<Buffer>,
  endpoint: BatchEndpoint,
  caps: BatchCaps,
  size: ShardSize,
): Promise<ValidInput | readonly BatchProblem[]> {
  const problems: BatchProblem[] = [];
  const lineOfId = new Map<string, number>();
  const models = new Set<string>();
  const shards = new Shards(size);
  let total = 0;
  let inputs = 0;
  for await (const { number, from, to, bytes } of inputLines(pieces, caps.lineBytes)) {
    if (problems.length >= MOST_PROBLEMS) break;
    const tell = (code: string, message: string, param: string | null = null): void => {
      problems.push({ code, message, param, line: number });
    };
    total++;
    if (total > caps.requests) {
      const message = `The batch has more than ${caps.requests} requests, the most that one may have. Divide it into several.`;
      problems.push({ code: 'too_many_requests', message, param: null, line: number });
      break;
    }
    if (bytes === null) {
      tell('line_too_long', `This line is longer than ${caps.lineBytes} bytes, the most that one may have.`);
      continue;
    }
    const read = readLine(bytes, endpoint);
    if (isProblem(read)) {
      problems.push({ ...read, line: number });
      continue;
    }
    const earlier = lineOfId.get(read.customId);
    if (earlier !== undefined) {
      tell('duplicate_custom_id', `The custom_id of this line is that of line ${earlier}, too.`, 'custom_id');
      continue;
    }
    lineOfId.set(read.customId, number);
    if (models.size < 2) models.add(read.model);
    if (endpoint === '/v1/embeddings') inputs += countInputs(read.body);
    if (inputs > caps.embeddingInputs) {
      const most = `${caps.embeddingInputs} inputs, the most that one may have`;
      tell('too_many_inputs', `The batch has more than ${most}. Divide it into several.`, 'body.input');
      break;
    }
    shards.add({ number, from, to });
  }
  if (problems.length > 0) return problems;
  if (total === 0) return [{ code: 'empty_file', message: 'The input file has no requests.', param: null, line: null }];
  const [model = null, another] = models;
  return { shards: shards.all(), total, model: another === undefined ? model : null };
}

export const areProblems = (found: ValidInput | readonly BatchProblem[]): found is readonly BatchProblem[] =>
  Array.isArray(found);

class Shards {
  readonly #size: ShardSize;
  readonly #shards: Shard[] = [];
  #open: { from: number; to: number; firstLine: number; requests: number } | null = null;

  constructor(size: ShardSize) {
    this.#size = size;
  }

  add({ number, from, to }: { readonly number: number; readonly from: number; readonly to: number }): void {
    const open = this.#open;
    if (open !== null && open.requests < this.#size.requests && to - open.from <= this.#size.bytes) {
      open.to = to;
      open.requests++;
      return;
    }
    this.#close();
    this.#open = { from, to, firstLine: number, requests: 1 };
  }

  all(): readonly Shard[] {
    this.#close();
    return this.#shards;
  }

  #close(): void {
    if (this.#open !== null) this.#shards.push({ number: this.#shards.length, ...this.#open });
    this.#open = null;
  }
}
