import type { EncodedRequest } from '../dialects/index.ts';
import { GatewayError, toGatewayError } from '../errors/index.ts';
import type { Attempt, AttemptOwner } from './attempt.ts';
import type { AttemptLog } from './attempt-log.ts';
import { Preparation } from './preparation.ts';
import type { AttemptAdmission, RelayRequest } from './request.ts';

/**
 * Brings the attempts of one request on their way: prepared, let in by their provider's limits, sent. At once where nothing
 * has to be waited for; an attempt that was aborted meanwhile is not sent.
 */
export class Departure {
  readonly #request: RelayRequest;
  readonly #log: AttemptLog;
  readonly #owner: AttemptOwner;
  readonly #preparation: Preparation;

  /** `owner` is told of a failure on the way. */
  constructor(request: RelayRequest, log: AttemptLog, owner: AttemptOwner) {
    this.#request = request;
    this.#log = log;
    this.#owner = owner;
    this.#preparation = new Preparation(request);
  }

  begin(attempt: Attempt): void {
    try {
      const prepared = this.#preparation.prepare(attempt.dialect, attempt.planned, attempt.asked);
      if (prepared instanceof Promise) {
        prepared.then(
          (encoded) => this.#admit(attempt, encoded),
          (thrown: unknown) => this.#owner.failed(attempt, toGatewayError(thrown)),
        );
      } else this.#admit(attempt, prepared);
    } catch (thrown) {
      this.#owner.failed(attempt, toGatewayError(thrown));
    }
  }

  #admit(attempt: Attempt, encoded: EncodedRequest): void {
    if (attempt.isOver) return;
    const { admitAttempt } = this.#request;
    const admitted = attempt.planned.credentialType === 'system' ? (admitAttempt?.(attempt.planned) ?? null) : null;
    if (admitted instanceof Promise) void admitted.then((later) => this.#send(attempt, encoded, later));
    else this.#send(attempt, encoded, admitted);
  }

  #send(attempt: Attempt, encoded: EncodedRequest, admitted: AttemptAdmission | GatewayError | null): void {
    if (admitted instanceof GatewayError) {
      this.#owner.failed(attempt, admitted);
      return;
    }
    if (attempt.isOver) {
      admitted?.settle(0);
      return;
    }
    attempt.admission = admitted;
    const headers = this.#log.send(attempt, encoded);
    const { url, body } = encoded;
    const { connectMs } = attempt.planned.endpoint.timeouts;
    attempt.start(this.#request.pools, { url, headers, body, connectMs });
  }
}
