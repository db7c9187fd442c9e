import {
  type Batch,
  type BatchStore,
  inputLines,
  isProblem,
  lineIds,
  readLine,
  type Shard,
  type Unrun,
  unrunLine,
} from '@headgate/core/batches';
import type { FileStore, FileUpload } from '@headgate/core/files';

const ENDS = {
  finalizing: 'completed',
  cancelling: 'cancelled',
  in_progress: 'expired',
} as const;

const NEWLINE = Buffer.from('\n');

/** Makes the output file and the error file of a batch, in the order of its input, and ends it. Doing it twice is doing it once. */
export async function finalize(
  batch: Batch,
  {
    store,
    files,
    longestLine,
  }: { readonly store: BatchStore; readonly files: FileStore; readonly longestLine: number },
): Promise<void> {
  const status = await store.seal(batch.id);
  if (status === null || !Object.hasOwn(ENDS, status)) {
    await store.forget(batch.id);
    return;
  }
  const end = ENDS[status as keyof typeof ENDS];
  const output = new LazyFile(batch, files, 'output');
  const errors = new LazyFile(batch, files, 'error');
  try {
    for (const shard of await store.shards(batch.id)) {
      const results = new Map(await store.results(batch.id, shard.number));
      const unrun: Unrun = end === 'cancelled' ? 'batch_cancelled' : 'batch_expired';
      if (results.size < shard.requests) {
        for await (const [number, text] of unrunLines(batch, shard, files, longestLine, unrun)) {
          if (!results.has(number)) results.set(number, { ok: false, text });
        }
      }
      for (const [, { ok, text }] of [...results].sort(([a], [b]) => a - b)) await (ok ? output : errors).line(text);
    }
    const ids = { outputFileId: await output.finish(), errorFileId: await errors.finish() };
    await store.end(batch.id, end, ids);
  } catch (error) {
    await Promise.all([output.abort(), errors.abort()]);
    throw error;
  }
}

async function* unrunLines(
  { owner, inputFileId, endpoint }: Batch,
  shard: Shard,
  files: FileStore,
  longestLine: number,
  why: Unrun,
): AsyncGenerator<readonly [number, string]> {
  // Without its input nobody can tell what was asked for.
  if ((await files.get(owner, inputFileId)) === null) return;
  const pieces = files.read(owner, inputFileId, { from: shard.from });
  for await (const { number, from, bytes } of inputLines(pieces, longestLine, shard)) {
    if (from >= shard.to) return;
    const request = bytes === null ? null : readLine(bytes, endpoint);
    if (bytes === null || request === null || isProblem(request)) continue;
    yield [number, unrunLine(lineIds(number, bytes), request.customId, why)];
  }
}

/** A file that is there only if something is written to it. */
class LazyFile {
  readonly #batch: Batch;
  readonly #files: FileStore;
  readonly #kind: 'output' | 'error';
  #upload: FileUpload | null = null;

  constructor(batch: Batch, files: FileStore, kind: 'output' | 'error') {
    this.#batch = batch;
    this.#files = files;
    this.#kind = kind;
  }

  async line(text: string): Promise<void> {
    const { id, owner, outputExpiresAfterS } = this.#batch;
    this.#upload ??= await this.#files.create({
      owner,
      filename: `${id}_${this.#kind}.jsonl`,
      purpose: 'batch_output',
      expiresAfterS: outputExpiresAfterS,
      // Whoever makes it, and however often: it is one file.
      id: `file-${id.slice('batch_'.length)}-${this.#kind}`,
    });
    await this.#upload.write(Buffer.concat([Buffer.from(text), NEWLINE]));
  }

  async finish(): Promise<string | null> {
    return this.#upload === null ? null : (await this.#upload.finish()).id;
  }

  async abort(): Promise<void> {
    await this.#upload?.abort();
  }
}
