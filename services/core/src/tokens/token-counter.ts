import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { tokensOfBytes } from './approximation.ts';

/** What is to be counted. */
export interface Countable {
  /** The body of an OpenAI chat request, UTF-8; null where its tokens are known. It is given away: do not touch it again. */
  readonly prompt: Uint8Array<ArrayBuffer> | null;
  readonly texts: readonly string[];
}

/** Tokens in `o200k_base`: of the prompt (0 where none was given), and of each text. */
export interface Counted {
  readonly prompt: number;
  readonly texts: readonly number[];
  /** False where bytes were divided because there was no counting in time. */
  readonly counted: boolean;
}

export interface CountJob extends Countable {
  readonly id: number;
}

export interface CountResult {
  readonly id: number;
  readonly prompt: number;
  readonly texts: readonly number[];
}

interface Pending {
  readonly approximation: Counted;
  readonly bytes: number;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (counted: Counted) => void;
}

export interface TokenCounterOptions {
  /** How long a count may take, the vocabulary's loading included. */
  readonly timeoutMs?: number;
  /** After so long without work the thread is ended, and its memory given back. */
  readonly idleMs?: number;
}

/** More waits in no queue: whoever comes then gets the approximation. */
const MOST_PENDING = 512;
const MOST_PENDING_BYTES = 64 * 1024 * 1024;
const WORKER_MEMORY_MB = 512;

/**
 * Counts tokens in a thread of its own, which is started when it is first needed: neither the vocabulary's loading nor a long
 * text holds up the loop that serves streams. Never fails: what cannot be counted in time is approximated.
 */
export class TokenCounter {
  readonly #timeoutMs: number;
  readonly #idleMs: number;
  readonly #pending = new Map<number, Pending>();
  #pendingBytes = 0;
  #nextId = 1;
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | null = null;
  #closed = false;

  constructor({ timeoutMs = 2_000, idleMs = 60_000 }: TokenCounterOptions = {}) {
    this.#timeoutMs = timeoutMs;
    this.#idleMs = idleMs;
  }

  count({ prompt, texts }: Countable): Promise<Counted> {
    const approximation = approximate(prompt, texts);
    const bytes = (prompt?.byteLength ?? 0) + texts.reduce((sum, text) => sum + text.length, 0);
    const full = this.#pending.size >= MOST_PENDING || this.#pendingBytes + bytes > MOST_PENDING_BYTES;
    if (this.#closed || full) return Promise.resolve(approximation);
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(id, null), this.#timeoutMs);
      this.#pending.set(id, { approximation, bytes, timer, resolve });
      this.#pendingBytes += bytes;
      const job: CountJob = { id, prompt, texts };
      this.#thread().postMessage(job, prompt === null ? [] : [prompt.buffer]);
    });
  }

  /** Ends the thread; whoever waits, or comes later, gets the approximation. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#end();
  }

  #thread(): Worker {
    if (this.#idle) clearTimeout(this.#idle);
    this.#idle = null;
    this.#worker ??= this.#start();
    return this.#worker;
  }

  #start(): Worker {
    // Beside this file: TypeScript in development, JavaScript in the image.
    const file = new URL(`./count-worker${extname(import.meta.filename)}`, import.meta.url);
    const worker = new Worker(file, { resourceLimits: { maxOldGenerationSizeMb: WORKER_MEMORY_MB } });
    worker.on('message', (result: CountResult) => this.#settle(result.id, result));
    // Out of memory, or the vocabulary is not there: the next count tries anew.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      if (this.#worker === worker) this.#fail();
    });
    // Behind the listeners, which would hold the process again.
    worker.unref();
    return worker;
  }

  #settle(id: number, result: CountResult | null): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    this.#pendingBytes -= pending.bytes;
    clearTimeout(pending.timer);
    const { approximation } = pending;
    if (result === null) pending.resolve(approximation);
    else if (result.prompt < 0) pending.resolve({ ...approximation, texts: result.texts });
    else pending.resolve({ prompt: result.prompt, texts: result.texts, counted: true });
    if (this.#pending.size === 0) this.#rest();
  }

  #rest(): void {
    if (this.#idle || this.#worker === null) return;
    this.#idle = setTimeout(() => void this.#end(), this.#idleMs).unref();
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    this.#fail();
    await worker?.terminate();
  }

  #fail(): void {
    if (this.#idle) clearTimeout(this.#idle);
    this.#idle = null;
    this.#worker = null;
    for (const id of [...this.#pending.keys()]) this.#settle(id, null);
  }
}

function approximate(prompt: Uint8Array | null, texts: readonly string[]): Counted {
  return {
    prompt: prompt === null ? 0 : tokensOfBytes(prompt.byteLength),
    texts: texts.map((text) => tokensOfBytes(Buffer.byteLength(text))),
    counted: false,
  };
}
