import { continuesAssistant } from '../anthropic/prefill.ts';
import type { Dialect } from '../dialect.ts';
import { urlsToFetch } from '../gemini/media.ts';
import { CompletionBuilder, TranslatedStream } from '../translation/index.ts';
import { tellAnswer } from './answer.ts';
import { decodeBedrockError } from './error.ts';
import { ConverseEvents } from './events.ts';
import { converseBody } from './request.ts';

/**
 * Models on AWS Bedrock through Converse and ConverseStream
 * (https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference.html).
 */
export const bedrock: Dialect = {
  name: 'bedrock',
  framing: 'aws-event-stream',
  authorization: 'aws',
  /** Models on Bedrock see bytes and objects in S3, no URLs. */
  remoteMedia: (request) => urlsToFetch(request),
  continuesAssistant: (request, target) => continuesAssistant(request, target.model),
  billsAfterAbort: () => true,
  encodeChat(request, target, media) {
    const { body, warnings } = converseBody(request, target, media);
    const operation = request.stream ? 'converse-stream' : 'converse';
    return {
      // An id may be an ARN, with colons and slashes.
      url: `${target.baseUrl}/model/${encodeURIComponent(target.model)}/${operation}`,
      headers: [
        'content-type',
        'application/json',
        'accept',
        request.stream ? 'application/vnd.amazon.eventstream' : 'application/json',
        'accept-encoding',
        'identity',
      ],
      body: Buffer.from(JSON.stringify(body)),
      warnings,
    };
  },
  decodeChat(body, context) {
    const builder = new CompletionBuilder(context);
    tellAnswer(body, context.target.model, builder);
    return builder.build();
  },
  streamDecoder: (context) => new TranslatedStream(context, new ConverseEvents(context.target.model)),
  decodeError: decodeBedrockError,
};
