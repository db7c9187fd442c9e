import type { Dispatcher } from 'undici';
import type { GatewayError } from '../errors/index.ts';
import { unreadable } from '../relay/index.ts';
import { networkError, type UpstreamCall, type UpstreamPools } from '../upstream/index.ts';

/** 2,048 vectors of 3,072 numbers of some 22 letters each. */
const MAX_ANSWER_BYTES = 160 * 1024 * 1024;
const MAX_ERROR_BYTES = 1024 * 1024;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface ProviderAnswer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: Buffer;
}

export interface CallLimits {
  readonly provider: string;
  /** Ends it at once, and it rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** For all of it, milliseconds. */
  readonly timeoutMs: number;
  readonly timedOut: () => GatewayError;
}

/** One call to a provider, with its whole answer. Rejects with a GatewayError, or with the signal's reason. */
export function providerCall(pools: UpstreamPools, call: UpstreamCall, limits: CallLimits): Promise<ProviderAnswer> {
  limits.signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const handler = new WholeAnswer(limits, resolve, reject);
    try {
      pools.dispatch(call, handler);
    } catch (thrown) {
      handler.end(networkError(thrown, limits.provider));
    }
  });
}

class WholeAnswer implements Dispatcher.DispatchHandler {
  readonly #limits: CallLimits;
  readonly #resolve: (answer: ProviderAnswer) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #status = 0;
  #headers: Headers = {};
  #controller: Dispatcher.DispatchController | null = null;
  #over = false;

  constructor(limits: CallLimits, resolve: (answer: ProviderAnswer) => void, reject: (reason: unknown) => void) {
    this.#limits = limits;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => this.end(limits.timedOut()), Math.max(0, limits.timeoutMs));
    limits.signal.addEventListener('abort', this.#aborted);
  }

  readonly #aborted = (): void => this.end(this.#limits.signal.reason);

  /** It ends without an answer; does nothing when it is over. */
  end(reason: unknown): void {
    if (!this.#release()) return;
    this.#controller?.abort(new Error('call ended'));
    this.#reject(reason);
  }

  #release(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#limits.signal.removeEventListener('abort', this.#aborted);
    return true;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error('call ended'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    this.#pieces.push(chunk);
    this.#bytes += chunk.length;
    const most = this.#status < 300 ? MAX_ANSWER_BYTES : MAX_ERROR_BYTES;
    if (this.#bytes > most) this.end(unreadable(this.#limits.provider, `it is larger than ${most} bytes`));
  }

  onResponseEnd(): void {
    if (!this.#release()) return;
    const headers = this.#headers;
    this.#resolve({
      status: this.#status,
      header: (name) => {
        const value = headers[name];
        return Array.isArray(value) ? value[0] : value;
      },
      body: Buffer.concat(this.#pieces, this.#bytes),
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.end(networkError(error, this.#limits.provider));
  }
}
