import type { OutgoingHttpHeaders } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BodyWriter } from './bodyWriter.ts';
import type { Exchange } from './exchange.ts';
import { jsonPieces, type LazyLists } from './jsonPieces.ts';

export interface JsonReply {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly value: unknown;
  /** Sent as it is instead of `value`. */
  readonly raw?: string;
  /** Without line breaks: for large answers. */
  readonly compact?: boolean;
  /** Lists that are empty in `value` and whose entries are made while they are sent; the text is compact then. */
  readonly lists?: LazyLists;
  /** Output tokens in it: they take their time, too. */
  readonly tokens?: number;
}

/** So many characters of a large answer leave in one write; between two writes others have their turn. */
const pieceCharacters = 131_072;

/** Sends a JSON answer with the delays and transport faults of the exchange's directives. */
export async function sendJson(exchange: Exchange, reply: JsonReply): Promise<void> {
  const { directives } = exchange;
  if (reply.status < 400) await exchange.sleep(answerDelay(exchange, reply.tokens ?? 0));
  if (directives.slow !== undefined) await exchange.sleep(directives.slow);
  if (exchange.closed) return;
  const headers = { 'content-type': directives['content-type'] ?? 'application/json', ...reply.headers };
  if (needsRawBody(exchange)) return await sendBroken(exchange, reply.status, headers, [...piecesOf(reply)].join(''));
  exchange.record.status = reply.status;
  exchange.record.tokensSent = reply.tokens ?? 0;
  await sendPieces(exchange, reply.status, { ...headers, ...directives.headers }, piecesOf(reply));
}

function piecesOf({ raw, value, lists, compact }: JsonReply): Iterable<string> {
  if (raw !== undefined) return [raw];
  return lists === undefined ? [JSON.stringify(value, null, compact ? 0 : 2)] : jsonPieces(value, lists);
}

/** What fits one write goes with its length, more goes chunked and as fast as its reader takes it. */
async function sendPieces(
  exchange: Exchange,
  status: number,
  headers: OutgoingHttpHeaders,
  pieces: Iterable<string>,
): Promise<void> {
  const { response, record } = exchange;
  let batch = '';
  for (const piece of pieces) {
    if (batch.length >= pieceCharacters) {
      if (!response.headersSent) response.writeHead(status, headers);
      const ready = response.write(batch);
      record.bytesSent += Buffer.byteLength(batch);
      record.maxQueuedBytes = Math.max(record.maxQueuedBytes, response.writableLength);
      batch = '';
      if (!ready) await Promise.race([new Promise((resolve) => response.once('drain', resolve)), exchange.whenClosed]);
      await nextTurn();
      if (exchange.closed) return;
    }
    batch += piece;
  }
  const bytes = Buffer.byteLength(batch);
  if (!response.headersSent) response.writeHead(status, { 'content-length': bytes, ...headers });
  record.bytesSent += bytes;
  response.end(batch);
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
