import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { chat, openChat, question, readChat } from './chat-client.ts';
import { configuration, directTo, targetOf } from './configuration.ts';
import { eventually, idle, residentMb } from './observe.ts';
import type { RawRequest } from './raw-http.ts';

let stack: Stack;

before(async () => {
  stack = await startStack({ config: ([simulator]) => configuration(simulator) });
});

after(() => stack.stop());

const worker = (): number => {
  const [pid] = stack.workerPids();
  assert.ok(pid);
  return pid;
};

const contentFrames = (frames: readonly string[]): number =>
  frames.filter((frame) => /"content":"[^"]/.test(frame)).length;

test('1,000 streams at a time: each whole and exact, and memory stays flat', async () => {
  const count = 1_000;
  const ask = (i: number, pace: string) => question(`[[sim tokens=60 ${pace} salt=s${i}]] stream ${i}`);
  const direct = directTo(stack.simulator());
  const expected = await Promise.all(
    Array.from({ length: 10 }, (_, i) => chat(direct, { model: 'one', stream: true, messages: ask(i, '') })),
  );
  const prompts = expected.map((_, i) => ask(i, 'tps=20'));
  const memoryBefore = residentMb(worker());
  const since = await stack.simulator().lastSeq();
  const running = Array.from({ length: count }, (_, i) =>
    openChat(targetOf(stack), { model: 'test/one', stream: true, messages: prompts[i % prompts.length] ?? [] }),
  );
  await stack.simulator().received({ since, model: 'one' }, count, 20_000);
  const { openStreams } = await stack.simulator().stats();
  assert.equal(openStreams, count, 'all are open at the same time');
  let peak = 0;
  const sampling = setInterval(() => {
    peak = Math.max(peak, residentMb(worker()));
  }, 100);
  const answers = await Promise.all(running.map(readChat));
  clearInterval(sampling);
  const wrong = answers.filter(({ status, end, text, frames, done, finishReason, models }, i) => {
    const wanted = expected[i % prompts.length];
    return !(
      wanted &&
      status === 200 &&
      end === 'complete' &&
      done &&
      finishReason === 'stop' &&
      text === wanted.text &&
      contentFrames(frames) === 60 &&
      contentFrames(wanted.frames) === 60 &&
      models.size === 1 &&
      models.has('test/one')
    );
  });
  assert.equal(
    wrong.length,
    0,
    `${wrong.length} of ${count} are not as expected, such as ${wrong[0]?.raw.slice(-500)}`,
  );
  assert.ok(peak - memoryBefore < 120, `memory grew from ${memoryBefore} to ${peak} MB`);
  await idle(stack);
});

/** What a stream says, as a hash: 30 MB of text need not be kept. */
class TextHash {
  readonly #hash = createHash('sha256');
  #rest = '';
  bytes = 0;
  done = false;

  readonly feed = (piece: Buffer): void => {
    // The text is ASCII, so no letter is cut in two.
    const blocks = (this.#rest + piece.toString('latin1')).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const block of blocks) {
      if (block === 'data: [DONE]') this.done = true;
      else this.#take(JSON.parse(block.slice(6)) as { choices: { delta: { content?: string } }[] });
    }
  };

  #take(chunk: { choices: { delta: { content?: string } }[] }): void {
    const content = chunk.choices[0]?.delta.content ?? '';
    this.bytes += content.length;
    this.#hash.update(content);
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

test('readers that stop: the providers are paused, memory stays bounded, and everything arrives later', async () => {
  const count = 10;
  const size = 30_000_000;
  const body = { model: 'test/one', stream: true, messages: question('[[sim tokens=600 pad=50000]] a long story') };
  const expected = new TextHash();
  await openChat(directTo(stack.simulator()), { ...body, model: 'one' }, [], expected.feed).ended;
  assert.equal(expected.bytes, size);
  const wanted = expected.digest();

  const memoryBefore = residentMb(worker());
  const since = await stack.simulator().lastSeq();
  const readers: { request: RawRequest; text: TextHash }[] = [];
  for (let i = 0; i < count; i++) {
    const text = new TextHash();
    const request = openChat(targetOf(stack), body, [], text.feed);
    request.socket.pause();
    readers.push({ request, text });
  }
  const sent = async () => {
    const records = await stack.simulator().received({ since, model: 'one' }, count);
    return records.map(({ bytesSent }) => bytesSent);
  };
  let before: number[] = [];
  let peak = 0;
  let still = 0;
  await eventually(
    'the providers are paused',
    async () => {
      const now = await sent();
      peak = Math.max(peak, residentMb(worker()));
      const stopped = now.every((bytes, i) => bytes > 0 && bytes === before[i]);
      before = now;
      still = stopped ? still + 1 : 0;
      return still === 10;
    },
    15_000,
  );
  // What is on its way stands in the kernel's buffers of four sockets.
  assert.ok(Math.max(...before) < size * 0.75, `the provider could send ${Math.max(...before)} of ${size} bytes`);
  assert.ok(peak - memoryBefore < 60, `memory grew from ${memoryBefore} to ${peak} MB`);

  for (const { request } of readers) request.socket.resume();
  for (const { request, text } of readers) {
    assert.equal(await request.ended, 'complete');
    assert.ok(text.done);
    assert.equal(text.bytes, size);
    assert.equal(text.digest(), wanted);
    request.leave();
  }
  await idle(stack);
});

test('a stream cut at every byte, with CRLF, comments and no spaces, says the same', async () => {
  const ways = [
    '',
    'split=1',
    'crlf',
    'comments',
    'nospace',
    'split=1 crlf comments nospace',
    'split=2 crlf',
    'split=3',
  ];
  const texts = await Promise.all(
    ways.map(async (way) => {
      const messages = question(`[[sim tokens=25 emoji ${way}]] in letters of many bytes`);
      return await chat(targetOf(stack), { model: 'test/one', stream: true, messages });
    }),
  );
  const [plain] = texts;
  assert.ok(plain);
  assert.ok(Buffer.byteLength(plain.text) > plain.text.length, 'there are letters of several bytes in it');
  for (const [i, answer] of texts.entries()) {
    assert.ok(answer.done, ways[i]);
    assert.equal(answer.text, plain.text, ways[i]);
    assert.equal(contentFrames(answer.frames), contentFrames(plain.frames), ways[i]);
    assert.deepEqual(answer.comments, [], 'comments of the provider are its own');
  }
  const whole = await chat(targetOf(stack), {
    model: 'test/one',
    messages: question('[[sim tokens=25 emoji]] in letters of many bytes'),
  });
  assert.equal(whole.text, plain.text, 'a stream says what the whole answer says');
});
