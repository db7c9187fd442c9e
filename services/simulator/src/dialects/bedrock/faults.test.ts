import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  type BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  type ConverseStreamOutput,
  ThrottlingException,
} from '@aws-sdk/client-bedrock-runtime';
import { EventStreamCodec } from '@smithy/eventstream-codec';
import { type Simulator, startSimulator } from '../../server.ts';
import { bedrockClientOf } from '../../testing/bedrockClient.ts';
import { requestRaw } from '../../testing/rawRequest.ts';

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString(),
  (text) => Buffer.from(text),
);

/** The whole frames of a stream and the bytes behind them. */
function framesIn(bytes: Buffer): { frames: Buffer[]; rest: number } {
  const frames: Buffer[] = [];
  let at = 0;
  while (at + 4 <= bytes.length && at + bytes.readUInt32BE(at) <= bytes.length) {
    const end = at + bytes.readUInt32BE(at);
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return { frames, rest: bytes.length - at };
}

const typeOf = (frame: Buffer) => {
  const { headers } = codec.decode(frame);
  return String((headers[':event-type'] ?? headers[':exception-type'] ?? headers[':error-code'])?.value);
};

describe('faults in the dialect of Bedrock', () => {
  let simulator: Simulator;
  let client: BedrockRuntimeClient;
  before(async () => {
    simulator = await startSimulator();
    client = bedrockClientOf(simulator);
  });
  after(async () => {
    client.destroy();
    await simulator.close();
  });

  const input = (directives: string) => ({
    modelId: `anthropic.claude-haiku-4-5-v1:0${directives}`,
    messages: [{ role: 'user' as const, content: [{ text: 'Hello' }] }],
  });
  const ask = (directives: string) => client.send(new ConverseCommand(input(directives)));
  const listen = async (directives: string) => {
    const events: ConverseStreamOutput[] = [];
    try {
      const { stream } = await client.send(new ConverseStreamCommand(input(directives)));
      for await (const event of stream ?? []) events.push(event);
      return { events, error: undefined };
    } catch (error) {
      assert.ok(error instanceof Error);
      return { events, error };
    }
  };
  const raw = async (directives: string, verb = 'converse-stream') => {
    const { modelId, messages } = input(directives);
    const answer = await requestRaw(simulator.port, {
      path: `/model/${encodeURIComponent(modelId)}/${verb}`,
      body: { messages },
    });
    return { ...answer, bytes: Buffer.concat(answer.chunks) };
  };

  it("fails with Bedrock's statuses, names and bodies", async () => {
    for (const [directives, status, name] of [
      ['+error=rate_limit', 429, 'ThrottlingException'],
      ['+error=quota', 429, 'ThrottlingException'],
      ['+status=429+type=ModelNotReadyException', 429, 'ModelNotReadyException'],
      ['+error=context_length', 400, 'ValidationException'],
      ['+error=content_filter', 400, 'ValidationException'],
      ['+error=invalid_key', 403, 'UnrecognizedClientException'],
      ['+error=forbidden', 403, 'AccessDeniedException'],
      ['+error=model_not_found', 404, 'ResourceNotFoundException'],
      ['+status=408', 408, 'ModelTimeoutException'],
      ['+status=424', 424, 'ModelErrorException'],
      ['+error=server', 500, 'InternalServerException'],
      ['+error=unavailable', 503, 'ServiceUnavailableException'],
      ['+error=overloaded', 503, 'ServiceUnavailableException'],
    ] as const)
      await assert.rejects(ask(directives), (error: Error & { $metadata: { httpStatusCode: number } }) => {
        assert.equal(error.name, name, directives);
        assert.equal(error.$metadata.httpStatusCode, status, directives);
        return true;
      });
    const own = ask('+status=429+message=Slow%20down+retry-after=7');
    await assert.rejects(own, (error) => error instanceof ThrottlingException && error.message === 'Slow down');
    const { head, body } = await raw('+status=429+retry-after=7', 'converse');
    assert.match(head, /^x-amzn-errortype: ThrottlingException:/im);
    assert.match(head, /^x-amzn-requestid: [0-9a-f-]{36}$/im);
    assert.match(head, /^retry-after: 7$/im);
    assert.deepEqual(Object.keys(JSON.parse(body)), ['message']);
    await assert.rejects(ask('+nonsense'), { name: 'ValidationException', message: /directive 'nonsense'/ });
  });

  it('sends an error before a stream as JSON', async () => {
    const { head, body } = await raw('+error=rate_limit');
    assert.match(head, /^HTTP\/1\.1 429 /);
    assert.match(head, /^content-type: application\/json$/im);
    assert.match(JSON.parse(body).message, /Too many requests/);
  });

  it('raises exceptions in the middle of a stream', async () => {
    for (const [type, name] of [
      ['', 'ModelStreamErrorException'],
      ['+type=throttlingException', 'ThrottlingException'],
      ['+type=ServiceUnavailableException', 'ServiceUnavailableException'],
      ['+type=internalServerException', 'InternalServerException'],
      ['+type=validationException', 'ValidationException'],
    ] as const) {
      const { events, error } = await listen(`+tokens=9+stream-error=3+message=Oops${type}`);
      assert.equal(error?.name, name);
      assert.match(error?.message ?? '', /Oops/);
      assert.equal(events.length, 4);
    }
    const unmodelled = await listen('+tokens=9+stream-error=3+code=InternalFailure+message=Oops');
    assert.match(String(unmodelled.error), /InternalFailure|Oops/);
    const { frames } = framesIn((await raw('+tokens=9+stream-error=3+code=InternalFailure')).bytes);
    assert.equal(typeOf(frames.at(-1) ?? Buffer.alloc(0)), 'InternalFailure');
  });

  it('ends at the boundary of a frame and within one', async () => {
    const whole = framesIn((await raw('+tokens=9+cut=5')).bytes);
    assert.deepEqual(whole.frames.map(typeOf), ['messageStart', ...new Array(5).fill('contentBlockDelta')]);
    assert.equal(whole.rest, 0);
    const partial = await raw('+tokens=9+cut=5+partial');
    const { frames, rest } = framesIn(partial.bytes);
    assert.equal(frames.length, 6);
    assert.ok(rest > 12);
    assert.equal(partial.terminated, true);
    const torn = await raw('+tokens=9+tear=5+partial');
    assert.equal(torn.terminated, false);
    assert.ok(framesIn(torn.bytes).rest > 12);
    assert.ok((await listen('+tokens=9+cut=5+partial')).error);
    assert.equal((await raw('+tokens=9+reset=5')).error, 'ECONNRESET');
  });

  it('breaks a checksum', async () => {
    const { frames } = framesIn((await raw('+tokens=9+malformed=2')).bytes);
    const broken = frames.flatMap((frame, index) => {
      try {
        codec.decode(frame);
        return [];
      } catch {
        return [index];
      }
    });
    assert.deepEqual(broken, [3]);
    const { events, error } = await listen('+tokens=9+malformed=2');
    assert.match(String(error), /checksum/i);
    assert.equal(events.length, 3);
  });

  it('leaves out the end and the usage', async () => {
    const typesOf = async (directives: string) => framesIn((await raw(directives)).bytes).frames.map(typeOf);
    assert.deepEqual((await typesOf('+nofinish')).slice(-2), ['contentBlockStop', 'metadata']);
    assert.deepEqual((await typesOf('+nousage')).slice(-2), ['contentBlockStop', 'messageStop']);
    const { stopReason, usage } = await ask('+nofinish+nousage');
    assert.deepEqual([stopReason, usage], [undefined, undefined]);
  });

  it('hangs until the client leaves', async () => {
    const since = simulator.requests.at(-1)?.seq ?? 0;
    const given = new AbortController();
    const hanging = client.send(new ConverseCommand(input('+hang')), { abortSignal: given.signal });
    const [arrived] = await simulator.journal.wait({ since }, 1, 5000);
    assert.deepEqual(arrived?.directives, { hang: true });
    given.abort();
    await assert.rejects(hanging, { name: 'AbortError' });
    const [left] = await simulator.journal.wait({ since, aborted: true }, 1, 5000);
    assert.equal(left?.seq, arrived?.seq);
  });

  it('says the same in pieces of any size, and stalls', async () => {
    const plain = await listen('+emoji');
    for (const style of ['+split=1', '+split=13', '+gzip', '+stall=2:20', '+tps=2000']) {
      const { events, error } = await listen(`+emoji${style}`);
      assert.equal(error, undefined);
      const said = (all: readonly ConverseStreamOutput[]) => all.filter(({ metadata }) => metadata === undefined);
      assert.deepEqual(said(events), said(plain.events), style);
    }
  });

  it('sends big tokens', async () => {
    const { events } = await listen('+tokens=4+pad=100000');
    const lengths = events.flatMap(({ contentBlockDelta }) => contentBlockDelta?.delta?.text?.length ?? []);
    assert.deepEqual(lengths, [100_000, 100_000, 100_000, 100_000]);
  });

  it('pads every event, as Bedrock does', async () => {
    const { bytes, head } = await raw('+tokens=2');
    assert.match(head, /^content-type: application\/vnd\.amazon\.eventstream$/im);
    for (const frame of framesIn(bytes).frames) {
      const { headers, body } = codec.decode(frame);
      assert.equal(headers[':content-type']?.value, 'application/json');
      assert.equal(headers[':message-type']?.value, 'event');
      assert.match(JSON.parse(Buffer.from(body).toString()).p, /^abc|^ab?$/);
    }
  });
});
