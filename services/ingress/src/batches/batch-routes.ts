import type { HttpRequest } from 'uWebSockets.js';
import { type Batch, type BatchJobs, type BatchStore, batchObject } from '@headgate/core/batches';
import { GatewayError } from '@headgate/core/errors';
import { fileNotFound } from '@headgate/core/files';
import type { Principal } from '@headgate/core/identity';
import { collectBody, releaseBody } from '../body.ts';
import type { Exchange } from '../exchange.ts';
import type { Gateway } from '../gateway.ts';
import { identify } from '../identify.ts';
import { observedRoute } from '../observed-route.ts';
import { type BatchRequest, idempotencyOf, readBatchRequest } from './batch-request.ts';

export const BATCHES_ROUTE = '/v1/batches';
export const BATCH_ROUTE = '/v1/batches/:id';
export const CANCEL_ROUTE = '/v1/batches/:id/cancel';

/** What the routes of batches need of their process. */
export interface BatchDesk {
  readonly store: BatchStore;
  readonly jobs: BatchJobs;
}

const LARGEST_BODY = 64 * 1024;
const PAGE = { usual: 20, most: 100 };
/** What is under way when a batch is cancelled may come to its end first. */
const CANCEL_GRACE_MS = 2_000;
const RETRY_MS = 1_000;

/** `POST /v1/batches` */
export function createBatch(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const header = req.getHeader('idempotency-key');
  const received = receive(exchange);
  serveOwner(exchange, gateway, BATCHES_ROUTE, async (principal) => {
    const { request, digest, idempotencyKey } = readBatchRequest(await received);
    const batch = await accept(gateway, principal, request, idempotencyOf(header, idempotencyKey, digest));
    exchange.answerJson(200, JSON.stringify(batchObject(batch)));
  });
}

/** Begins at once: what comes may be read only from now on. */
function receive(exchange: Exchange): Promise<Uint8Array> {
  const received = new Promise<Uint8Array>((resolve, reject) => {
    collectBody(exchange, LARGEST_BODY, (body, error) => {
      if (body === null) return reject(error?.type === 'request_too_large' ? tooLarge() : error);
      resolve(Uint8Array.prototype.slice.call(body.store, body.start, body.end));
      releaseBody(body);
    });
    exchange.onGone = () =>
      reject(new GatewayError('invalid_request_error', 'The client left before its body was whole.'));
  });
  // It is looked at only once the caller is known.
  received.catch(() => undefined);
  return received;
}

async function accept(
  gateway: Gateway,
  principal: Principal,
  request: BatchRequest,
  idempotency: ReturnType<typeof idempotencyOf>,
): Promise<Batch> {
  const { files, batches } = gateway;
  const { store, jobs } = batches;
  const { maxOpenPerKey } = gateway.current().table.batches;
  const add = (id: string): Promise<void> => jobs.validate(id);
  const repeated = idempotency === null ? null : await store.repeated(principal.id, idempotency, add);
  if (repeated !== null) return repeated;
  const input = await files.get(principal.id, request.inputFileId);
  if (input === null) throw inputNotFound(request.inputFileId);
  if (input.purpose !== 'batch') {
    throw new GatewayError(
      'invalid_request_error',
      `The file ${input.id} was uploaded for '${input.purpose}'. Upload the input with purpose 'batch'.`,
      { param: 'input_file_id', code: 'invalid_file_purpose' },
    );
  }
  if ((await store.countOpen(principal.id)) >= maxOpenPerKey) {
    throw new GatewayError(
      'rate_limit_exceeded',
      `This key has ${maxOpenPerKey} batches that have not ended, as many as it may (batches.maxOpenPerKey).`,
      { code: 'too_many_batches', retryAfterMs: 60_000 },
    );
  }
  const owner = principal.id;
  // What a token says of its bearer stands in no table.
  const facts = principal.isOfToken ? JSON.stringify(principal.facts) : '';
  const made = await store.create({ ...request, owner, principal: facts }, idempotency, add);
  return made.batch;
}

/** `GET /v1/batches` */
export function listBatches(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const after = req.getQuery('after') || undefined;
  const limit = req.getQuery('limit') || undefined;
  serveOwner(exchange, gateway, BATCHES_ROUTE, async (principal) => {
    const page = { limit: readLimit(limit), ...(after === undefined ? {} : { after }) };
    const { batches, hasMore } = await gateway.batches.store.list(principal.id, page);
    const data = batches.map(batchObject);
    const ends = { first_id: batches[0]?.id ?? null, last_id: batches.at(-1)?.id ?? null };
    exchange.answerJson(200, JSON.stringify({ object: 'list', data, ...ends, has_more: hasMore }));
  });
}

/** `GET /v1/batches/{id}` */
export function getBatch(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const id = req.getParameter(0) ?? '';
  serveOwner(exchange, gateway, BATCH_ROUTE, async (principal) => {
    const batch = await gateway.batches.store.get(principal.id, id);
    if (batch === null) throw batchNotFound(id);
    exchange.answerJson(200, JSON.stringify(batchObject(batch)));
  });
}

/** `POST /v1/batches/{id}/cancel` */
export function cancelBatch(exchange: Exchange, gateway: Gateway, req: HttpRequest): void {
  const id = req.getParameter(0) ?? '';
  serveOwner(exchange, gateway, CANCEL_ROUTE, async (principal) => {
    const { store, jobs } = gateway.batches;
    const batch = await store.get(principal.id, id);
    if (batch === null) throw batchNotFound(id);
    if (batch.status !== 'cancelling' && batch.status !== 'cancelled') {
      if (!(await store.cancel(id))) throw cannotCancel((await store.find(id)) ?? batch);
      await jobs.finalize(id, CANCEL_GRACE_MS);
    }
    exchange.answerJson(200, JSON.stringify(batchObject((await store.get(principal.id, id)) ?? batch)));
  });
}

/** Runs `serve` for whoever asks; what fails because Redis is away is told as that. */
function serveOwner(
  exchange: Exchange,
  gateway: Gateway,
  route: string,
  serve: (principal: Principal) => Promise<void>,
): void {
  observedRoute(exchange, gateway, route, async () => {
    const principal = await identify(exchange, gateway);
    if (exchange.gone) return;
    await serve(principal).catch((thrown: unknown) => {
      throw thrown instanceof GatewayError ? thrown : unavailable(thrown);
    });
  });
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return PAGE.usual;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= PAGE.most) return limit;
  throw new GatewayError('invalid_request_error', `Invalid value for 'limit': expected 1 to ${PAGE.most}.`, {
    param: 'limit',
    code: 'invalid_value',
  });
}

const tooLarge = (): GatewayError =>
  new GatewayError(
    'request_too_large',
    `A batch is made by at most ${LARGEST_BODY} bytes; its requests stand in a file.`,
    {
      code: 'request_too_large',
    },
  );

const inputNotFound = (id: string): GatewayError => {
  const { message, code } = fileNotFound(id);
  return new GatewayError('invalid_request_error', message, { param: 'input_file_id', code });
};

const batchNotFound = (id: string): GatewayError =>
  new GatewayError('not_found', `There is no batch '${id.slice(0, 100)}' of this key.`, {
    param: 'id',
    code: 'batch_not_found',
  });

const cannotCancel = ({ id, status }: Batch): GatewayError =>
  new GatewayError('invalid_request_error', `The batch ${id} cannot be cancelled: it is '${status}'.`, {
    status: 409,
    param: 'id',
    code: 'batch_not_cancellable',
    // SDKs send a 409 again.
    shouldRetry: false,
  });

const unavailable = (cause: unknown): GatewayError =>
  new GatewayError('service_unavailable', 'Batches cannot be reached at the moment.', {
    code: 'batches_unavailable',
    retryAfterMs: RETRY_MS,
    cause,
  });
