import type { OutgoingHttpHeaders } from 'node:http';
import { BodyWriter } from './bodyWriter.ts';
import type { Exchange } from './exchange.ts';

export interface JsonReply {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly value: unknown;
  /** Sent as it is instead of `value`. */
  readonly raw?: string;
  /** Without line breaks: for large answers. */
  readonly compact?: boolean;
  /** Output tokens in it: they take their time, too. */
  readonly tokens?: number;
}

/** Sends a JSON answer with the delays and transport faults of the exchange's directives. */
export async function sendJson(exchange: Exchange, reply: JsonReply): Promise<void> {
  const { directives } = exchange;
  if (reply.status < 400) await exchange.sleep(answerDelay(exchange, reply.tokens ?? 0));
  if (directives.slow !== undefined) await exchange.sleep(directives.slow);
  if (exchange.closed) return;
  const text = reply.raw ?? JSON.stringify(reply.value, null, reply.compact ? 0 : 2);
  const headers = { 'content-type': directives['content-type'] ?? 'application/json', ...reply.headers };
  if (needsRawBody(exchange)) return await sendBroken(exchange, reply.status, headers, text);
  exchange.record.status = reply.status;
  exchange.record.tokensSent = reply.tokens ?? 0;
  exchange.record.bytesSent = Buffer.byteLength(text);
  exchange.response.writeHead(reply.status, {
    ...headers,
    'content-length': Buffer.byteLength(text),
    ...directives.headers,
  });
  exchange.response.end(text);
}

function answerDelay(exchange: Exchange, tokens: number): number {
  const { ttftMs, tokensPerSecond } = exchange.pace;
  const total = ttftMs + (tokensPerSecond > 0 ? (tokens * 1000) / tokensPerSecond : 0);
  return total === 0 ? 0 : exchange.arrivedAt + total - performance.now();
}

function needsRawBody({ directives: d }: Exchange): boolean {
  const faults = [d.cut, d.tear, d.stall, d.malformed, d.silent, d.split, d.gzip, d.reset];
  return faults.some((fault) => fault !== undefined && fault !== false);
}

/** A JSON answer has no tokens to break at: cut, tear, reset and stall strike after half of the body. */
async function sendBroken(
  exchange: Exchange,
  status: number,
  headers: OutgoingHttpHeaders,
  text: string,
): Promise<void> {
  const { directives } = exchange;
  const writer = new BodyWriter(exchange);
  await writer.open(status, headers);
  if (directives.reset === 'after') return await writer.reset();
  if (directives.silent) return await exchange.whenClosed;
  // Bytes: half of a text may end inside a letter that is two of its units.
  const bytes = Buffer.from(text);
  const half = Math.ceil(bytes.length / 2);
  await writer.write(bytes.subarray(0, half));
  if (directives.stall !== undefined) {
    if (directives.stall.ms === undefined) return await exchange.whenClosed;
    await exchange.sleep(directives.stall.ms);
  }
  if (directives.reset !== undefined) return await writer.reset();
  if (directives.tear !== undefined) return await writer.tear();
  if (directives.cut === undefined && directives.malformed === undefined) await writer.write(bytes.subarray(half));
  await writer.end();
}
