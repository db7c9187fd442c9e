import type {
  ContentBlockDelta,
  ContentBlockStart,
  ConverseStreamMetadataEvent,
  ConverseStreamOutput,
} from '@aws-sdk/client-bedrock-runtime';
import { EventStreamCodec, type MessageHeaders } from '@smithy/eventstream-codec';
import type { Directives } from '../../faults/directives.ts';
import type { Frame } from '../../http/eventStream.ts';
import type { FramePlace } from '../../http/tokenFaults.ts';
import type { ConverseAnswer, SpokenBlock } from './answer.ts';
import type { Wire } from './wire.ts';

type Members<U> = U extends unknown ? keyof U : never;
type EventType = Exclude<Members<ConverseStreamOutput>, '$unknown' | `${string}Exception`>;
type ExceptionType = Extract<Members<ConverseStreamOutput>, `${string}Exception`>;

/** The frames of a streamed answer in Bedrock's order (API reference: ConverseStream), one token a delta. */
export function* converseFrames(
  answer: ConverseAnswer,
  latencyMs: () => number,
  directives: Directives,
): Generator<Frame> {
  yield frame('opening', 'messageStart', { role: 'assistant' });
  for (const [index, block] of answer.blocks.entries()) yield* blockFrames(block, index);
  const { stopReason, additional, usage, echoed } = answer;
  if (directives.nofinish) yield { place: 'closing', text: '' };
  else
    yield frame('closing', 'messageStop', {
      stopReason,
      ...(additional === undefined ? {} : { additionalModelResponseFields: additional }),
    });
  if (directives.nousage || directives.nodone) return;
  const metadata = { usage, metrics: { latencyMs: latencyMs() }, ...echoed } satisfies ConverseStreamMetadataEvent;
  yield frame('closing', 'metadata', metadata);
}

/** Only toolUse blocks have a start; it is one token, as the call is. */
function* blockFrames(block: SpokenBlock, index: number): Generator<Frame> {
  const start = (place: FramePlace, begun: ContentBlockStart) =>
    frame(place, 'contentBlockStart', { start: begun, contentBlockIndex: index });
  const delta = (place: FramePlace, piece: Wire<ContentBlockDelta>) =>
    frame(place, 'contentBlockDelta', { delta: piece, contentBlockIndex: index });
  switch (block.type) {
    case 'text':
      for (const text of block.tokens) yield delta('token', { text });
      break;
    case 'reasoning':
      for (const text of block.tokens) yield delta('token', { reasoningContent: { text } });
      yield delta('opening', { reasoningContent: { signature: block.signature } });
      break;
    case 'redacted':
      yield delta('opening', { reasoningContent: { redactedContent: block.data } });
      break;
    case 'toolUse':
      yield start('token', { toolUse: { toolUseId: block.id, name: block.name } });
      for (const input of block.json) yield delta('token', { toolUse: { input } });
      break;
  }
  yield frame('opening', 'contentBlockStop', { contentBlockIndex: index });
}

/** An exception in mid-stream: modelled, or with `code` an error that no model knows. */
export function exceptionFrame({ type, code, message }: Directives): Buffer {
  const said = message ?? 'The model encountered an error while streaming the response.';
  if (code !== undefined)
    return encode({ ':message-type': 'error', ':error-code': code, ':error-message': said }, Buffer.alloc(0));
  const usual = 'modelStreamErrorException' satisfies ExceptionType;
  const name = type === undefined ? usual : type.charAt(0).toLowerCase() + type.slice(1);
  return encode(
    { ':exception-type': name, ':content-type': 'application/json', ':message-type': 'exception' },
    Buffer.from(JSON.stringify({ message: said })),
  );
}

const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/** Bedrock pads each event with a `p` that means nothing, so that its length tells nothing. */
function frame(place: FramePlace, type: EventType, payload: object): Frame {
  const json = JSON.stringify(payload);
  const padded = `${json.slice(0, -1)},"p":"${alphabet.slice(0, 1 + ((json.length * 31) % alphabet.length))}"}`;
  const headers = { ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' };
  return { place, text: encode(headers, Buffer.from(padded)) };
}

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString(),
  (text) => Buffer.from(text),
);

function encode(headers: Readonly<Record<string, string>>, body: Uint8Array): Buffer {
  const typed: MessageHeaders = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, { type: 'string' as const, value }]),
  );
  return Buffer.from(codec.encode({ headers: typed, body }));
}
