/**
 * A mock OpenAI upstream on raw sockets, cheap enough that it does not hold back what is measured.
 * Usage: node mock/server.ts [port]. Prints `{"port":N}` when it listens. A GET answers `{"open":N,"requests":N}`.
 * directive.ts says how a request steers its own answer.
 */
import net from 'node:net';
import { completion, EMBEDDING, failure, json, MODELS, STREAM_HEAD, streamChunk, streamEnd } from './answers.ts';
import { type Directive, findDirective } from './directive.ts';
import { type MockRequest, RequestParser } from './request-parser.ts';
import { TimerWheel } from './timer-wheel.ts';

const STREAM_MARKS = [Buffer.from('"stream":true'), Buffer.from('"stream": true')];
/** Chunks of an unpaced stream that go into one write; a larger stream goes on when the socket has drained. */
const CHUNKS_PER_WRITE = 256;

const wheel = new TimerWheel();
let open = 0;
let requests = 0;

class MockConnection {
  readonly #socket: net.Socket;
  readonly #requests = new RequestParser();
  #answering = false;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    open++;
    socket.on('error', () => {});
    socket.on('close', () => open--);
    socket.on('data', (bytes) => {
      this.#requests.push(bytes);
      this.#answerNext();
    });
  }

  #answerNext(): void {
    while (!this.#answering) {
      const request = this.#requests.next();
      if (request === undefined) return;
      requests++;
      this.#answer(request);
    }
  }

  #answer({ path, body }: MockRequest): void {
    if (body.length === 0) {
      this.#socket.write(path.endsWith('/models') ? MODELS : json(200, { open, requests }));
      return;
    }
    const directive = findDirective(body);
    const send = this.#choose(path, body, directive);
    if (directive.delayMs === 0) {
      send();
      return;
    }
    this.#answering = true;
    wheel.after(directive.delayMs, () => {
      this.#answering = false;
      if (this.#socket.destroyed) return;
      send();
      this.#answerNext();
    });
  }

  #choose(path: string, body: Buffer, directive: Directive): () => void {
    if (directive.status !== 200) return () => this.#socket.write(failure(directive.status));
    if (path.endsWith('/embeddings')) return () => this.#socket.write(EMBEDDING);
    if (!STREAM_MARKS.some((mark) => body.includes(mark))) {
      return () => this.#socket.write(completion(directive.textBytes));
    }
    return directive.intervalMs > 0 ? () => this.#streamPaced(directive) : () => this.#streamAtOnce(directive.chunks);
  }

  #streamPaced({ chunks, intervalMs }: Directive): void {
    this.#answering = true;
    let left = chunks - 1;
    const step = (): void => {
      if (this.#socket.destroyed) return;
      if (left > 0) {
        left--;
        this.#socket.write(streamChunk(), 'latin1');
        wheel.after(intervalMs, step);
        return;
      }
      this.#endStream(streamEnd(chunks));
    };
    this.#socket.write(STREAM_HEAD + streamChunk(), 'latin1');
    wheel.after(intervalMs, step);
  }

  #streamAtOnce(chunks: number): void {
    this.#answering = true;
    let left = chunks;
    let text = STREAM_HEAD;
    const pump = (): void => {
      while (!this.#socket.destroyed) {
        for (let k = Math.min(left, CHUNKS_PER_WRITE); k > 0; k--) text += streamChunk();
        left -= Math.min(left, CHUNKS_PER_WRITE);
        if (left === 0) {
          this.#endStream(text + streamEnd(chunks));
          return;
        }
        const more = this.#socket.write(text, 'latin1');
        text = '';
        if (!more) {
          this.#socket.once('drain', pump);
          return;
        }
      }
    };
    pump();
  }

  #endStream(lastBytes: string): void {
    this.#socket.write(lastBytes, 'latin1');
    this.#answering = false;
    this.#answerNext();
  }
}

const server = net.createServer({ noDelay: true, highWaterMark: 1 << 18 }, (socket) => {
  new MockConnection(socket);
});
server.listen({ port: Number(process.argv[2] ?? 0), host: '127.0.0.1', backlog: 8192 }, () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(JSON.stringify({ port: address.port }));
});
