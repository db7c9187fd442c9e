import {
  type Batch,
  type BatchStatus,
  type BatchStore,
  inputLines,
  isProblem,
  lineIds,
  readLine,
  type Shard,
  type StoredLine,
  type Unrun,
  unrunLine,
} from '@headgate/core/batches';
import type { FileStore, FileUpload } from '@headgate/core/files';

const UNRUN: Readonly<Record<'completed' | 'cancelled' | 'expired' | 'failed', Unrun>> = {
  completed: 'batch_expired',
  cancelled: 'batch_cancelled',
  expired: 'batch_expired',
  failed: 'batch_failed',
};

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
  const end = endOf(status, batch);
  if (end === null) {
    await store.forget(batch.id);
    return;
  }
  const output = new LazyFile(batch, files, 'output');
  const errors = new LazyFile(batch, files, 'error');
  try {
    for (const shard of await store.shards(batch.id)) {
      const done = await store.lines(batch.id, shard.number);
      const unrun = done.length < shard.requests ? await unrunLines(batch, shard, files, longestLine, end, done) : [];
      let at = 0;
      for await (const { number, ok, line } of store.results(batch.id, shard.number, done)) {
        for (let next = unrun[at]; next && next.number < number; next = unrun[++at]) await errors.line(next.line);
        await (ok ? output : errors).line(line);
      }
      for (const { line } of unrun.slice(at)) await errors.line(line);
    }
    const ids = { outputFileId: await output.finish(), errorFileId: await errors.finish() };
    await store.end(batch.id, end, ids);
  } catch (error) {
    await Promise.all([output.abort(), errors.abort()]);
    throw error;
  }
}

function endOf(status: BatchStatus | null, { problems }: Batch): keyof typeof UNRUN | null {
  if (status === 'finalizing') return 'completed';
  if (status === 'cancelling') return 'cancelled';
  if (status === 'in_progress') return problems.length > 0 ? 'failed' : 'expired';
  return null;
}

/** Lines of the error file for what has no result, in the order of the input. */
async function unrunLines(
  { owner, inputFileId, endpoint }: Batch,
  shard: Shard,
  files: FileStore,
  longestLine: number,
  end: keyof typeof UNRUN,
  done: readonly number[],
): Promise<readonly StoredLine[]> {
  // Without its input nobody can tell what was asked for.
  if ((await files.get(owner, inputFileId)) === null) return [];
  const known = new Set(done);
  const found: StoredLine[] = [];
  const pieces = files.read(owner, inputFileId, { from: shard.from });
  for await (const { number, from, bytes } of inputLines(pieces, longestLine, shard)) {
    if (from >= shard.to) break;
    if (known.has(number) || bytes === null) continue;
    const request = readLine(bytes, endpoint);
    if (isProblem(request)) continue;
    const line = Buffer.from(unrunLine(lineIds(number, bytes), request.customId, UNRUN[end]));
    found.push({ number, ok: false, line });
  }
  return found;
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

  async line(line: Buffer): Promise<void> {
    const { id, owner, outputExpiresAfterS } = this.#batch;
    this.#upload ??= await this.#files.create({
      owner,
      filename: `${id}_${this.#kind}.jsonl`,
      purpose: 'batch_output',
      expiresAfterS: outputExpiresAfterS,
      // Whoever makes it, and however often: it is one file.
      id: `file-${id.slice('batch_'.length)}-${this.#kind}`,
    });
    await this.#upload.write(line);
    await this.#upload.write(NEWLINE);
  }

  async finish(): Promise<string | null> {
    return this.#upload === null ? null : (await this.#upload.finish()).id;
  }

  async abort(): Promise<void> {
    await this.#upload?.abort();
  }
}
