import { type MetricsSnapshot, mergeSnapshots, renderMerged, withoutGauges } from '@headgate/core/telemetry';
import type { ToWorker } from './messages.ts';

/** A worker that does not answer in this time is left out of a scrape; its last numbers stand in. */
const ANSWER_MS = 1_000;

/** What of a cluster worker is needed here. */
export interface MeasuredWorker {
  readonly id: number;
  send(message: ToWorker, callback: (error: Error | null) => void): boolean;
}

interface Gathering {
  readonly waiting: Set<number>;
  readonly done: () => void;
}

/**
 * In the primary: one scrape for all processes. Sums never fall when a worker dies, for what it last reported is kept.
 */
export class MetricsGatherer {
  readonly #last = new Map<number, MetricsSnapshot>();
  readonly #gatherings = new Map<number, Gathering>();
  #retired: MetricsSnapshot | null = null;
  #nextId = 1;

  /** Asks all workers; resolves with the Prometheus text. */
  async gather(workers: readonly MeasuredWorker[]): Promise<string> {
    const id = this.#nextId++;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ANSWER_MS);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#gatherings.set(id, { waiting: new Set(workers.map((worker) => worker.id)), done });
      for (const worker of workers) worker.send({ type: 'measure', id }, () => undefined);
      if (workers.length === 0) done();
    });
    this.#gatherings.delete(id);
    const retired = this.#retired === null ? [] : [this.#retired];
    return renderMerged([...retired, ...this.#last.values()]);
  }

  measured(worker: MeasuredWorker, id: number, snapshot: MetricsSnapshot): void {
    this.#last.set(worker.id, snapshot);
    this.#answered(worker.id, id);
  }

  workerGone(worker: MeasuredWorker): void {
    const last = this.#last.get(worker.id);
    this.#last.delete(worker.id);
    if (last) this.#retired = mergeSnapshots([...(this.#retired ? [this.#retired] : []), withoutGauges(last)]);
    for (const id of this.#gatherings.keys()) this.#answered(worker.id, id);
  }

  #answered(workerId: number, id: number): void {
    const gathering = this.#gatherings.get(id);
    if (gathering?.waiting.delete(workerId) && gathering.waiting.size === 0) gathering.done();
  }
}
