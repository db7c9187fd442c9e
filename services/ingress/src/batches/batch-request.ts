import { createHash } from 'node:crypto';
import { BATCH_ENDPOINTS, type BatchEndpoint, type Idempotency } from '@headgate/core/batches';
import { GatewayError } from '@headgate/core/errors';
import { LONGEST_EXPIRY_S, SHORTEST_EXPIRY_S } from '@headgate/core/files';

/** The body of `POST /v1/batches`, as far as it decides anything (WIRE 2.14). */
export interface BatchRequest {
  readonly inputFileId: string;
  readonly endpoint: BatchEndpoint;
  readonly completionWindow: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly outputExpiresAfterS: number | null;
}

/** The only one that OpenAI has. */
const WINDOW = '24h';
const METADATA = { pairs: 16, key: 64, value: 512 };
const LONGEST_IDEMPOTENCY_KEY = 255;
/** What stands beside the fields above is not known to anybody. */
const FIELDS = ['input_file_id', 'endpoint', 'completion_window', 'metadata', 'output_expires_after'];
/** The AI SDK's options for the gateway: the idempotency key may stand there, too, and is no part of the request. */
const OPTIONS = 'providerOptions';

/** Throws a GatewayError (400) that names the field. */
export function readBatchRequest(bytes: Uint8Array): {
  readonly request: BatchRequest;
  readonly digest: string;
  readonly idempotencyKey: string;
} {
  const body = parse(bytes);
  for (const name of Object.keys(body)) {
    if (!FIELDS.includes(name) && name !== OPTIONS) {
      throw invalid(name, 'unknown_parameter', `Unknown parameter: '${name}'.`);
    }
  }
  const endpoint = BATCH_ENDPOINTS.find((one) => one === required(body, 'endpoint'));
  if (endpoint === undefined) {
    const offered = BATCH_ENDPOINTS.map((one) => `'${one}'`).join(' or ');
    throw invalid('endpoint', 'invalid_value', `Invalid value for 'endpoint': expected ${offered}.`);
  }
  const completionWindow = required(body, 'completion_window');
  if (completionWindow !== WINDOW) {
    throw invalid('completion_window', 'invalid_value', `Invalid value for 'completion_window': expected '${WINDOW}'.`);
  }
  const request: BatchRequest = {
    inputFileId: required(body, 'input_file_id'),
    endpoint,
    completionWindow,
    metadata: readMetadata(body.metadata),
    outputExpiresAfterS: readExpiry(body.output_expires_after),
  };
  return { request, digest: digestOf(request), idempotencyKey: optionKey(body[OPTIONS]) };
}

/** The `idempotency-key` header, or the option in its place; null where neither is given. */
export function idempotencyOf(header: string, option: string, digest: string): Idempotency | null {
  const key = header === '' ? option : header;
  if (key === '') return null;
  if (key.length > LONGEST_IDEMPOTENCY_KEY) {
    const most = `expected at most ${LONGEST_IDEMPOTENCY_KEY} characters`;
    throw invalid('idempotency-key', 'invalid_value', `Invalid value for the header 'idempotency-key': ${most}.`);
  }
  return { key, digest };
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new GatewayError('invalid_request_error', 'Invalid request: the body is not valid JSON.', {
      code: 'invalid_json',
    });
  }
  if (isRecord(body)) return body;
  throw new GatewayError('invalid_request_error', 'Invalid request: the body must be a JSON object.', {
    code: 'invalid_json',
  });
}

function required(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (value === undefined || value === null || value === '') {
    throw invalid(name, 'missing_parameter', `Invalid request: missing required parameter '${name}'.`);
  }
  if (typeof value === 'string') return value;
  throw invalid(name, 'invalid_type', `Invalid value for '${name}': expected a string.`);
}

function readMetadata(value: unknown): Readonly<Record<string, string>> | null {
  if (value === undefined || value === null) return null;
  if (!isRecord(value)) throw invalid('metadata', 'invalid_type', "Invalid value for 'metadata': expected an object.");
  const entries = Object.entries(value);
  if (entries.length > METADATA.pairs) {
    throw invalid('metadata', 'invalid_value', `Invalid value for 'metadata': it may have ${METADATA.pairs} entries.`);
  }
  for (const [key, text] of entries) {
    const path = `metadata.${key.slice(0, METADATA.key)}`;
    if (key === '' || key.length > METADATA.key) {
      throw invalid(path, 'invalid_value', `Invalid value for '${path}': keys have 1 to ${METADATA.key} characters.`);
    }
    if (typeof text !== 'string' || text.length > METADATA.value) {
      const expected = `expected a string of at most ${METADATA.value} characters`;
      throw invalid(path, 'invalid_value', `Invalid value for '${path}': ${expected}.`);
    }
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

function readExpiry(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  const field = 'output_expires_after';
  if (!isRecord(value)) throw invalid(field, 'invalid_type', `Invalid value for '${field}': expected an object.`);
  const { anchor, seconds } = value;
  if (anchor !== 'created_at') {
    throw invalid(`${field}.anchor`, 'invalid_value', `Invalid value for '${field}.anchor': expected 'created_at'.`);
  }
  if (!Number.isInteger(seconds) || Number(seconds) < SHORTEST_EXPIRY_S || Number(seconds) > LONGEST_EXPIRY_S) {
    const expected = `expected a whole number from ${SHORTEST_EXPIRY_S} to ${LONGEST_EXPIRY_S}`;
    throw invalid(`${field}.seconds`, 'invalid_value', `Invalid value for '${field}.seconds': ${expected}.`);
  }
  return Number(seconds);
}

function optionKey(options: unknown): string {
  const gateway = isRecord(options) ? options.gateway : undefined;
  const key = isRecord(gateway) ? gateway.idempotencyKey : undefined;
  return typeof key === 'string' ? key : '';
}

/** Of what is asked for, however it was written. */
function digestOf({ metadata, ...request }: BatchRequest): string {
  const sorted = metadata === null ? null : Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify({ ...request, metadata: sorted }))
    .digest('hex');
}

const invalid = (param: string, code: string, message: string): GatewayError =>
  new GatewayError('invalid_request_error', message, { param, code });

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
