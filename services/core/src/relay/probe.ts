import type { EndpointEntry, ModelEntry } from '../catalog/index.ts';
import { type ChatRequest, readChatRequest } from '../chat/index.ts';
import { type ChatAnswer, type Dialect, type EncodedRequest, findDialect } from '../dialects/index.ts';
import { type FailureClass, type GatewayError, toGatewayError } from '../errors/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { Authorizers, UpstreamPools } from '../upstream/index.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { emptySuccess, noFirstToken, unsupportedDialect } from './failures.ts';
import { isEmptyAnswer, tellsOfEndpoint } from './policy.ts';
import { Preparation, targetOf } from './preparation.ts';

export interface ProbeRequest {
  /** One of those that the endpoint serves; a chat model. */
  readonly model: ModelEntry;
  readonly endpoint: EndpointEntry;
  /** For all of it: credentials, connection, answer. */
  readonly timeoutMs: number;
  readonly pools: UpstreamPools;
  readonly authorizers: Authorizers;
  /** Ends it at once; it then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

export interface ProbeResult {
  /** As in AttemptOutcome; undefined: nothing can be told of the endpoint. */
  readonly failure: FailureClass | null | undefined;
  readonly retryAfterMs: number | undefined;
  /** Status of the provider; null when there was none. */
  readonly status: number | null;
  /** In words that hold no credential; null when it answered, if only to refuse the request. */
  readonly error: string | null;
}

/** Asks an endpoint for one token, with the gateway's own credential, to learn whether it is back. */
export async function probeEndpoint(request: ProbeRequest): Promise<ProbeResult> {
  request.signal.throwIfAborted();
  return new Promise((resolve, reject) => new Probe(request, resolve, reject).start());
}

class Probe implements AttemptOwner {
  readonly #request: ProbeRequest;
  readonly #planned: PlannedAttempt;
  readonly #resolve: (result: ProbeResult) => void;
  readonly #reject: (reason: unknown) => void;
  #attempt: Attempt | null = null;
  #timer: NodeJS.Timeout | null = null;
  #over = false;

  constructor(request: ProbeRequest, resolve: (result: ProbeResult) => void, reject: (reason: unknown) => void) {
    const { model, endpoint } = request;
    this.#request = request;
    this.#planned = { model, endpoint, credentialType: 'system', firstTokenBinds: false, reason: 'active probe' };
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    const { endpoint, timeoutMs, signal } = this.#request;
    const dialect = findDialect(endpoint.provider.dialect);
    if (!dialect) {
      this.#failed(unsupportedDialect(endpoint.provider.name, endpoint.provider.dialect));
      return;
    }
    this.#timer = setTimeout(() => this.#onTimeout(noFirstToken(endpoint.provider.name, timeoutMs)), timeoutMs);
    signal.addEventListener('abort', this.#onAbort);
    const attempt = new Attempt(this, {
      planned: this.#planned,
      dialect,
      asked: oneToken(this.#request.model.id),
      output: null,
      said: null,
      decodeAnswer: (body) => this.#decode(dialect, body),
    });
    this.#attempt = attempt;
    this.#prepare(dialect, attempt.asked).then(
      (encoded) => this.#send(attempt, encoded),
      (thrown: unknown) => this.#failed(toGatewayError(thrown)),
    );
  }

  async #prepare(dialect: Dialect, asked: ChatRequest): Promise<EncodedRequest> {
    const { authorizers } = this.#request;
    const tools = { authorizers, allowPrivateFileUrls: false };
    return new Preparation(tools).prepare(dialect, this.#planned, asked);
  }

  #send(attempt: Attempt, { url, headers, body }: EncodedRequest): void {
    if (this.#over) return;
    const { pools, endpoint } = this.#request;
    attempt.start(pools, { url, headers, body, connectMs: endpoint.timeouts.connectMs });
  }

  #decode(dialect: Dialect, body: Buffer): ChatAnswer {
    const target = targetOf(this.#planned);
    const created = Math.floor(Date.now() / 1_000);
    return dialect.decodeChat(body, { generationId: 'probe', model: this.#planned.model.id, created, target });
  }

  answered(_attempt: Attempt, answer: ChatAnswer): void {
    // One token may well be spent on thinking; but who says that it has finished, and has said nothing, is not well.
    if (isEmptyAnswer(answer)) this.#failed(emptySuccess());
    else this.#end(null, undefined, null);
  }

  failed(_attempt: Attempt, error: GatewayError): void {
    this.#failed(error);
  }

  /** Never called: no stream was asked for. */
  frames(): void {}
  succeeded(): void {}

  #failed(error: GatewayError): void {
    const { retryAfterMs, message } = error.cutOut(Object.values(this.#request.endpoint.provider.credentials));
    const failure = this.#attempt === null ? undefined : tellsOfEndpoint(error, this.#attempt.sentAt !== null);
    if (failure === null) this.#end(null, undefined, null);
    else this.#end(failure, retryAfterMs, message);
  }

  #onTimeout(error: GatewayError): void {
    this.#attempt?.abort();
    this.#failed(error);
  }

  readonly #onAbort = (): void => {
    this.#attempt?.abort();
    this.#release();
    this.#reject(this.#request.signal.reason);
  };

  #end(failure: ProbeResult['failure'], retryAfterMs: number | undefined, error: string | null): void {
    if (this.#over) return;
    this.#release();
    this.#resolve({ failure, retryAfterMs, status: this.#attempt?.status ?? null, error });
  }

  #release(): void {
    this.#over = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#request.signal.removeEventListener('abort', this.#onAbort);
  }
}

/** The cheapest question there is. */
function oneToken(model: string): ChatRequest {
  const body = { model, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 };
  const store = Buffer.from(JSON.stringify(body));
  return readChatRequest(store, 0, store.length);
}
