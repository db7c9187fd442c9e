import { setTimeout as after } from 'node:timers/promises';
import type { EndpointEntry, HealthPolicy, ModelEntry } from '@headgate/core/catalog';
import { probeEmbedding } from '@headgate/core/embeddings';
import type { HealthBoard, ProbePermit } from '@headgate/core/health';
import { type ProbeResult, probeEndpoint } from '@headgate/core/relay';
import type { Logger } from '@headgate/core/telemetry';
import { Authorizers, UpstreamPools } from '@headgate/core/upstream';

/** A permit must not run out before the outcome was told. */
const TELLING_MS = 2_000;
/** After a refusal that was not foreseen: clocks differ by a little. */
const ASK_AGAIN_MS = 50;

/** An endpoint, and one of the models that it serves. */
export interface ProbeTarget {
  readonly model: ModelEntry;
  readonly endpoint: EndpointEntry;
}

export interface ProberOptions {
  readonly board: HealthBoard;
  readonly log: Logger;
  /** As configured now; undefined when the endpoint is not to be probed. */
  readonly target: (endpointKey: string) => ProbeTarget | undefined;
  readonly policy: () => HealthPolicy['probes'];
  /** Hears of each probe that told something: `success`, or the class of the failure. */
  readonly onProbed: (provider: string, outcome: string) => void;
}

/** Asks one endpoint with an open breaker whether it is back, and tells the health board. */
export class Prober {
  readonly #options: ProberOptions;
  readonly #pools = new UpstreamPools();
  readonly #authorizers = new Authorizers();
  readonly #stopping = new AbortController();
  /** Told already that their probes fail. */
  readonly #failing = new Set<string>();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** One job: at most one probe, under the permit that ingress processes take for theirs, too. Does not throw. */
  async run(endpointKey: string): Promise<void> {
    const permit = await this.#permit(endpointKey);
    if (permit === null) return;
    const result = await this.#ask(endpointKey);
    const { board } = this.#options;
    if (result === null || result.failure === undefined) await board.reportProbe(permit, null);
    else await board.reportProbe(permit, { ...result, failure: result.failure });
    if (result !== null) this.#tell(endpointKey, result);
  }

  /** An endpoint that is well: its next failure is news again. */
  forget(isOpen: (endpointKey: string) => boolean): void {
    for (const key of this.#failing) if (!isOpen(key)) this.#failing.delete(key);
  }

  /** Closes connections to providers that are configured no more. */
  retain(baseUrls: Iterable<string>): void {
    this.#pools.retain(baseUrls);
  }

  /** Ends what is under way at once; permits go back. */
  abort(): void {
    this.#stopping.abort();
  }

  close(): Promise<void> {
    return this.#pools.close();
  }

  /**
   * Waits for the permit when it can be had before the next job comes: each failed probe opens the breaker anew, just
   * beyond the next job's time. Null: no probe now.
   */
  async #permit(endpointKey: string): Promise<ProbePermit | null> {
    const { board, target, policy } = this.#options;
    const giveUpAt = performance.now() + policy().intervalMs;
    while (!this.#stopping.signal.aborted && target(endpointKey) !== undefined && policy().enabled) {
      const open = board.open().find((one) => one.endpointKey === endpointKey);
      if (open === undefined || open.probing) return null;
      const waitMs = Math.ceil(open.openUntil - board.view().now);
      if (performance.now() + waitMs >= giveUpAt) return null;
      if (waitMs > 0) {
        await this.#sleep(waitMs);
        continue;
      }
      const permit = await board.acquireProbe(endpointKey, policy().timeoutMs + TELLING_MS);
      if (permit !== null) return permit;
      await this.#sleep(ASK_AGAIN_MS);
    }
    return null;
  }

  async #sleep(ms: number): Promise<void> {
    await after(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  /** Null when it was not asked: its configuration is gone, or control stops. */
  async #ask(endpointKey: string): Promise<ProbeResult | null> {
    const { target, policy, onProbed } = this.#options;
    const found = target(endpointKey);
    if (found === undefined || this.#stopping.signal.aborted) return null;
    try {
      const probe = found.model.type === 'embedding' ? probeEmbedding : probeEndpoint;
      const result = await probe({
        ...found,
        timeoutMs: policy().timeoutMs,
        pools: this.#pools,
        authorizers: this.#authorizers,
        signal: this.#stopping.signal,
      });
      if (result.failure !== undefined) onProbed(found.endpoint.provider.name, result.failure ?? 'success');
      return result;
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#options.log.error('a probe could not be made', { endpointKey, error });
      return null;
    }
  }

  /** One line when probes begin to fail, one when the endpoint is back; none for each probe between. */
  #tell(endpointKey: string, { failure, status, error }: ProbeResult): void {
    const { log } = this.#options;
    if (failure === null) {
      this.#failing.delete(endpointKey);
      log.info('an active probe was answered, the endpoint is back', { endpoint: endpointKey, status });
    } else if (!this.#failing.has(endpointKey)) {
      this.#failing.add(endpointKey);
      log.warn('active probes of an endpoint fail', { endpoint: endpointKey, failure, status, reason: error });
    }
  }
}
