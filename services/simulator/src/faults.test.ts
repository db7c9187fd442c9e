import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type Simulator, startSimulator } from './server.ts';
import { openRaw, requestRaw } from './testing/rawRequest.ts';

describe('faults as seen from a raw socket', () => {
  let simulator: Simulator;
  before(async () => {
    simulator = await startSimulator();
  });
  after(() => simulator.close());

  const chat = (directives: string, stream = true) => ({
    body: { model: `m${directives}`, messages: [{ role: 'user', content: 'Hello!' }], stream },
  });
  const play = (directives: string, stream = true) => requestRaw(simulator.port, chat(directives, stream));
  const open = (directives: string, stream = true) => openRaw(simulator.port, chat(directives, stream));
  /** The record of the latest request, once its connection has closed on this side, too. */
  const lastEnded = async () => {
    const [record] = await simulator.journal.wait({ since: simulator.journal.lastSeq - 1, ended: true }, 1, 5000);
    assert.ok(record);
    return record;
  };
  const eventsOf = (body: string) => body.split(/\r?\n\r?\n/).filter((event) => event.startsWith('data:'));
  const tokensOf = (body: string) => eventsOf(body).filter((event) => /"content":"[^"]/.test(event)).length;

  it('ends a whole stream with a finish reason, [DONE] and the terminator', async () => {
    const { body, terminated, head, error } = await play('+tokens=60');
    assert.match(head, /^HTTP\/1\.1 200 OK\r\ncontent-type: text\/event-stream; charset=utf-8\r\n/);
    assert.equal(tokensOf(body), 60);
    assert.ok(body.includes('"finish_reason":"stop"'));
    assert.ok(body.endsWith('data: [DONE]\n\n'));
    assert.ok(terminated);
    assert.equal(error, undefined);
  });

  it('cuts cleanly at token N: the terminator comes, the end of the answer does not', async () => {
    const { body, terminated, error } = await play('+tokens=60+cut=40');
    assert.equal(tokensOf(body), 40);
    assert.doesNotMatch(body, /"finish_reason":"stop"|\[DONE\]/);
    assert.ok(terminated);
    assert.equal(error, undefined);
  });

  it('cuts a shorter answer after its last token, and at 0 after the role', async () => {
    const short = await play('+tokens=3+cut=40');
    assert.equal(tokensOf(short.body), 3);
    assert.doesNotMatch(short.body, /"finish_reason":"stop"|\[DONE\]/);
    const none = await play('+tokens=3+cut=0');
    assert.equal(eventsOf(none.body).length, 1);
    assert.ok(none.body.includes('"role":"assistant"'));
  });

  it('tears the connection at token N: FIN without the terminator', async () => {
    const { body, terminated, error } = await play('+tokens=60+tear=40');
    assert.equal(tokensOf(body), 40);
    assert.equal(terminated, false);
    assert.equal(error, undefined);
    assert.equal((await lastEnded()).outcome, 'broken');
  });

  it('resets the connection before the headers, after them, and at token N', async () => {
    const before = await play('+reset=before');
    assert.deepEqual([before.bytes.length, before.error], [0, 'ECONNRESET']);
    assert.deepEqual([(await lastEnded()).status, (await lastEnded()).outcome], [undefined, 'broken']);
    const behind = await play('+reset=after');
    assert.match(behind.head, /^HTTP\/1\.1 200/);
    assert.deepEqual([behind.rawBody.length, behind.error], [0, 'ECONNRESET']);
    const amid = await play('+tokens=60+reset=40');
    assert.deepEqual([tokensOf(amid.body), amid.terminated, amid.error], [40, false, 'ECONNRESET']);
    assert.equal((await lastEnded()).outcome, 'broken');
  });

  it('never answers, or never goes on after the headers, until the client leaves', async () => {
    for (const [directive, bytes] of [
      ['hang', 0],
      ['silent', 1],
      ['stall=2', 1],
    ] as const) {
      const seq = simulator.journal.lastSeq;
      const connection = open(`+tokens=5+${directive}`);
      await simulator.journal.wait({ since: seq }, 1, 5000);
      if (bytes > 0) await connection.until('\r\n\r\n');
      if (directive === 'stall=2') await connection.until('content":"The"');
      connection.socket.destroy();
      const [record] = await simulator.journal.wait({ since: seq, aborted: true }, 1, 5000);
      assert.equal(record?.outcome, 'aborted', directive);
      assert.equal(record.tokensSent, directive === 'stall=2' ? 2 : 0, directive);
      assert.equal(tokensOf((await connection.answer).body), record.tokensSent, directive);
    }
    assert.equal(simulator.stats().openRequests, 0);
  });

  it('delays headers, the first token, every token, and stalls for a while', async () => {
    const timed = async (directives: string, milestones: readonly string[]) => {
      const start = performance.now();
      const connection = open(directives);
      const times: number[] = [];
      for (const milestone of milestones) {
        await connection.until(milestone);
        times.push(performance.now() - start);
      }
      const { body } = await connection.answer;
      return { times, body };
    };
    const [slowHead = 0] = (await timed('+slow=80', ['HTTP/1.1'])).times;
    assert.ok(slowHead >= 79, `${slowHead}`);
    const first = await timed('+ttft=80', ['\r\n\r\n', '"role"']);
    assert.ok((first.times[1] ?? 0) >= 79 && (first.times[0] ?? 99) < (first.times[1] ?? 0));
    const paced = await timed('+tokens=10+tps=100', ['[DONE]']);
    assert.ok((paced.times[0] ?? 0) >= 89, `${paced.times[0]}`);
    const stalled = await timed('+tokens=10+stall=5:80', ['[DONE]']);
    assert.ok((stalled.times[0] ?? 0) >= 79 && tokensOf(stalled.body) === 10);
    const json = performance.now();
    await play('+tokens=10+tps=200+ttft=40', false);
    assert.ok(performance.now() - json >= 89);
  });

  it('leaves out [DONE], the finish reason, the content or the usage', async () => {
    const undone = (await play('+nodone')).body;
    assert.ok(undone.includes('"finish_reason":"stop"') && !undone.includes('[DONE]'));
    const unfinished = (await play('+nofinish')).body;
    assert.ok(!unfinished.includes('"finish_reason":"') && unfinished.includes('[DONE]'));
    const empty = (await play('+empty')).body;
    assert.ok(tokensOf(empty) === 0 && empty.includes('"finish_reason":"stop"') && empty.includes('[DONE]'));
    assert.ok(!(await play('+nousage', false)).body.includes('"usage"'));
  });

  it('sends half an event as token N and goes on', async () => {
    const { body } = await play('+tokens=6+malformed=3');
    const broken = eventsOf(body).filter((event) => {
      const data = event.slice('data: '.length);
      if (data === '[DONE]') return false;
      try {
        JSON.parse(data);
        return false;
      } catch {
        return true;
      }
    });
    assert.equal(broken.length, 1);
    assert.equal(tokensOf(body), 5);
    assert.ok(body.endsWith('data: [DONE]\n\n'));
  });

  it('sends an error inside the stream and ends without [DONE]', async () => {
    const { body, terminated } = await play('+tokens=6+stream-error=3');
    assert.match(eventsOf(body).at(-1) ?? '', /^data: \{"error":\{"message":"The server had an error/);
    assert.ok(terminated && tokensOf(body) === 3);
  });

  it('splits anywhere, also inside a letter and a line end', async () => {
    const plain = await play('+tokens=12+emoji+crlf');
    const split = await play('+tokens=12+emoji+crlf+split=1');
    assert.ok(split.chunks.every((chunk) => chunk.length === 1));
    assert.equal(normal(split.body), normal(plain.body));
    assert.ok(split.body.includes('\r\n\r\n') && !/[^\r]\n/.test(split.body));
    const sevens = await play('+tokens=12+emoji+split=7');
    assert.ok(sevens.chunks.length > 10 && sevens.chunks.every((chunk) => chunk.length <= 7));
    function normal(body: string): string {
      return body.replace(/"id":"[^"]*"|"created":\d+/g, '');
    }
  });

  it('writes lines without a space, with comments, and under another content type', async () => {
    const { body, head } = await play('+tokens=4+nospace+comments=2+content-type=application/x-odd');
    assert.match(head, /\r\ncontent-type: application\/x-odd\r\n/);
    assert.equal(body.split('\n\n').filter((event) => event === ': ping').length, 4);
    assert.ok(eventsOf(body).every((event) => !event.startsWith('data: ')));
    assert.equal(tokensOf(body), 4);
  });

  it('compresses only for those who accept it, streams and JSON of any size', async () => {
    const accepting = { 'accept-encoding': 'br, gzip' };
    for (const stream of [true, false]) {
      const directives = '+gzip+emoji+tokens=20000';
      const zipped = await requestRaw(simulator.port, { ...chat(directives, stream), headers: accepting });
      assert.match(zipped.head, /\r\ncontent-encoding: gzip\r\n/);
      const text = gunzipSync(Buffer.concat(zipped.chunks)).toString();
      assert.ok(stream ? tokensOf(text) === 20_000 : JSON.parse(text).usage.completion_tokens === 20_000);
      const plain = await play('+gzip+tokens=4', stream);
      assert.doesNotMatch(plain.head, /content-encoding/);
    }
  });

  it('breaks JSON answers, too', async () => {
    const halves = await play('+cut=1', false);
    assert.ok(halves.terminated);
    assert.throws(() => JSON.parse(halves.body));
    const torn = await play('+tear=1', false);
    assert.deepEqual([torn.terminated, torn.error], [false, undefined]);
    assert.equal((await play('+reset=1', false)).error, 'ECONNRESET');
    assert.equal((await play('+reset=before', false)).bytes.length, 0);
    const split = await play('+split=3', false);
    assert.ok(split.chunks.every((chunk) => chunk.length <= 3) && JSON.parse(split.body).choices.length === 1);
    // Wherever their half is, letters are whole.
    for (let padding = 0; padding < 12; padding++) {
      const text = `${'x'.repeat(padding)}${'👩'.repeat(400)}`;
      const { body } = await play(`+split=5+text=${encodeURIComponent(text)}`, false);
      assert.equal(JSON.parse(body).choices[0].message.content, text);
    }
  });

  it('stops generating for a reader who does not read, and goes on when he does', async () => {
    const seq = simulator.journal.lastSeq;
    const connection = open('+tokens=600+pad=100000');
    await connection.until('data:');
    connection.socket.pause();
    const record = simulator.journal.find({ since: seq })[0];
    assert.ok(record);
    // The simulator is in this process: when a few turns of the loop send no more, it is waiting for the reader.
    let seen = -1;
    while (seen !== record.bytesSent) {
      seen = record.bytesSent;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok(record.tokensSent < 600, `${record.tokensSent} tokens went into buffers`);
    assert.ok(record.maxQueuedBytes < 1_000_000, `${record.maxQueuedBytes} bytes waited`);
    connection.socket.resume();
    const { body } = await connection.answer;
    assert.equal(tokensOf(body), 600);
    assert.equal(record.outcome, 'complete');
  });

  it('serves a pipelined request in its turn, and HTTP/1.0 without chunks', async () => {
    const text = JSON.stringify(chat('+tokens=2').body);
    const request = (version: string, connection: string) =>
      `POST /v1/chat/completions HTTP/${version}\r\nhost: s\r\nauthorization: Bearer k\r\nconnection: ${connection}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
    const { socket, answer } = openRaw(simulator.port, { ...chat('+tokens=2'), headers: { connection: 'keep-alive' } });
    socket.write(request('1.1', 'close'));
    const both = (await answer).bytes.toString();
    assert.equal(both.split('data: [DONE]').length, 3);
    const old = connect(simulator.port, '127.0.0.1');
    old.write(request('1.0', 'close'));
    const unchunked = (await buffer(old)).toString();
    assert.doesNotMatch(unchunked, /transfer-encoding/i);
    assert.ok(unchunked.endsWith('data: [DONE]\n\n'));
  });
});
