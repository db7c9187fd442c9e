import { createHash } from 'node:crypto';
import type { BatchUsage, LineResult } from './contract.ts';

/** How the gateway answered the request of a line. */
export interface LineAnswer {
  readonly status: number;
  /** JSON text; as bytes, on one line. */
  readonly body: string | Buffer;
  readonly usage: BatchUsage;
}

/** Why a line was never run, or not to its end. */
export type Unrun = 'batch_expired' | 'batch_cancelled' | 'batch_failed';

const UNRUN: Readonly<Record<Unrun, string>> = {
  batch_expired: 'This request could not be executed before the completion window expired.',
  batch_cancelled: 'This request was not executed because the batch was cancelled.',
  batch_failed: 'This request was not executed because the batch failed.',
};

/**
 * Ids of a line, made from what it says and where: the same input has the same output, whoever runs it, and however often.
 */
export interface LineIds {
  readonly id: string;
  readonly requestId: string;
}

export function lineIds(number: number, bytes: Uint8Array): LineIds {
  const digest = createHash('sha256').update(`${number}\n`).update(bytes).digest('hex');
  return { id: `batch_req_${digest.slice(0, 32)}`, requestId: `req_${digest.slice(32, 64)}` };
}

/** The line of the output file, or of the error file. */
export function answeredLine({ id, requestId }: LineIds, customId: string, answer: LineAnswer): LineResult {
  const { status, body, usage } = answer;
  const head =
    `{"id":"${id}","custom_id":${JSON.stringify(customId)},"response":` +
    `{"status_code":${status},"request_id":${JSON.stringify(requestId)},"body":`;
  const tail = '},"error":null}';
  const parts = [head, typeof body === 'string' ? onOneLine(body) : body, tail];
  return {
    ok: status >= 200 && status < 300,
    line: Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))),
    usage,
  };
}

/** Some providers indent their JSON, and what passes through stays as it is. Inside of strings there are no line breaks. */
const onOneLine = (json: string): string => json.replace(/[\r\n]+[ \t]*/g, '');

/** The line of the error file for a request that has no answer. */
export function unrunLine({ id }: LineIds, customId: string, code: Unrun): string {
  const error = JSON.stringify({ code, message: UNRUN[code] });
  return `{"id":"${id}","custom_id":${JSON.stringify(customId)},"response":null,"error":${error}}`;
}
