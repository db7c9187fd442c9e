import { MAX_DEPTH, objectMembers, skeleton } from '../json/index.ts';
import type { BatchEndpoint, BatchProblem } from './contract.ts';

/** One request of a batch, as its line has it. */
export interface LineRequest {
  readonly customId: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The body's own bytes: numbers and escapes as they were written. */
  readonly json: Buffer;
  readonly model: string;
}

const METHOD = 'POST';
const LONGEST_CUSTOM_ID = 512;

/** What is wrong with a line; `line` is told by who knows it. */
export type LineProblem = Omit<BatchProblem, 'line'>;

export const isProblem = (read: LineRequest | LineProblem): read is LineProblem => 'code' in read;

/** Reads a line as far as a batch has to know it; what its model thinks of the body is found out when it is run. */
export function readLine(bytes: Buffer, endpoint: BatchEndpoint): LineRequest | LineProblem {
  if (bytes.length > MAX_DEPTH && (skeleton(bytes)?.depth ?? 0) > MAX_DEPTH) {
    return problem('nesting_too_deep', null, `This line is nested deeper than ${MAX_DEPTH} levels.`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(UTF8.decode(bytes));
  } catch {
    return problem('invalid_json_line', null, 'This line is not parseable as valid JSON.');
  }
  if (!isRecord(parsed)) return problem('invalid_json_line', null, 'This line is not a JSON object.');
  const { custom_id: customId, method, url, body } = parsed;
  for (const name of ['custom_id', 'method', 'url', 'body']) {
    if (parsed[name] === undefined || parsed[name] === null) {
      return problem('missing_required_parameter', name, `Missing required parameter: '${name}'.`);
    }
  }
  if (typeof customId !== 'string' || customId === '' || customId.length > LONGEST_CUSTOM_ID) {
    const expected = `a string of 1 to ${LONGEST_CUSTOM_ID} characters`;
    return problem('invalid_custom_id', 'custom_id', `Invalid value for 'custom_id': expected ${expected}.`);
  }
  if (method !== METHOD)
    return problem('invalid_method', 'method', `Invalid value for 'method': expected '${METHOD}'.`);
  if (url !== endpoint) {
    const message = `The URL of this line is not the endpoint of the batch: expected '${endpoint}'.`;
    return problem('invalid_url', 'url', message);
  }
  if (!isRecord(body)) return problem('invalid_body', 'body', "Invalid value for 'body': expected an object.");
  const { model, stream } = body;
  if (model === undefined || model === null) {
    return problem('missing_required_parameter', 'body.model', "Missing required parameter: 'body.model'.");
  }
  if (typeof model !== 'string' || model === '') {
    return problem('invalid_model', 'body.model', "Invalid value for 'body.model': expected the id of a model.");
  }
  if (stream !== undefined && stream !== null && stream !== false) {
    return problem(
      'stream_unsupported',
      'body.stream',
      'Answers in a batch cannot be streamed: leave out body.stream.',
    );
  }
  return { customId, body, json: bodyOf(bytes), model };
}

/** A copy, for the line's bytes are overwritten. Of a name that occurs twice the last one counts, as in JSON.parse. */
function bodyOf(bytes: Buffer): Buffer {
  const body = objectMembers(bytes).findLast(({ key }) => key === 'body');
  if (body === undefined) throw new RangeError('a line without a body');
  return Buffer.from(bytes.subarray(body.valueStart, body.end));
}

/** Inputs of an embeddings request: what the cap of a batch counts. */
export function countInputs({ input }: Readonly<Record<string, unknown>>): number {
  if (!Array.isArray(input)) return 1;
  // The ids of one text's tokens.
  return typeof input[0] === 'number' ? 1 : input.length;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

const problem = (code: string, param: string | null, message: string): LineProblem => ({ code, param, message });

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
