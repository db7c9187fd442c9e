import type { Batch, BatchJobs, BatchStore } from '@headgate/core/batches';
import { isEnded } from '@headgate/core/batches';
import type { FileStore } from '@headgate/core/files';
import type { Logger } from '@headgate/core/telemetry';

const EVERY_MS = 5_000;
/** A batch that has not moved for so long may have lost its jobs. */
const STILL_MS = 15_000;
/** Files are looked after more rarely. */
const FILES_EVERY = 12;

export interface SweeperOptions {
  readonly store: BatchStore;
  readonly jobs: BatchJobs;
  readonly files: FileStore;
  readonly log: Logger;
  readonly everyMs?: number;
}

/**
 * Looks after batches that have not ended: those whose time is over, and those whose jobs got lost, as with the newest
 * writes of a Redis that was killed. Every embedder does; what one has done already, the others do in vain.
 */
export class Sweeper {
  readonly #options: SweeperOptions;
  /** Batch id -> lines done when that was last more, and when that was. */
  readonly #progress = new Map<string, { readonly done: number; readonly at: number }>();
  #timer: NodeJS.Timeout | null = null;
  #rounds = 0;
  #stopped = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  start(): void {
    const { everyMs = EVERY_MS } = this.#options;
    // Not all embedders at one time.
    const wait = everyMs * (0.5 + Math.random());
    this.#timer = setTimeout(() => {
      void this.#sweep().finally(() => {
        if (!this.#stopped) this.start();
      });
    }, wait);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #sweep(): Promise<void> {
    const { store, files, log } = this.#options;
    try {
      const ids = await store.open();
      for (const id of this.#progress.keys()) if (!ids.includes(id)) this.#progress.delete(id);
      const now = ids.length === 0 ? 0 : await store.now();
      for (const id of ids) {
        if (this.#stopped) return;
        await this.#look(id, await store.find(id), now);
      }
      if (this.#rounds++ % FILES_EVERY === 0) await files.sweep();
    } catch (error) {
      if (!this.#stopped) log.warn('batches could not be looked after', { reason: reasonOf(error) });
    }
  }

  async #look(id: string, batch: Batch | null, now: number): Promise<void> {
    const { store, jobs } = this.#options;
    if (batch === null || isEnded(batch.status)) await store.forget(id);
    else if (batch.status === 'validating') await jobs.validate(id);
    else if (batch.status !== 'in_progress' || now >= batch.expiresAt) await jobs.finalize(id);
    else if (this.#stands(id, batch.completed + batch.failed)) await jobs.lines(id, await store.shards(id));
  }

  #stands(id: string, done: number): boolean {
    const before = this.#progress.get(id);
    const at = performance.now();
    if (before === undefined || before.done !== done) {
      this.#progress.set(id, { done, at });
      return false;
    }
    if (at - before.at < STILL_MS) return false;
    this.#progress.set(id, { done, at });
    return true;
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
