import type { Dialect } from '../dialect.ts';
import { CompletionBuilder, TranslatedStream } from '../translation/index.ts';
import { tellMessage } from './answer.ts';
import { decodeAnthropicError } from './error.ts';
import { AnthropicEvents } from './events.ts';
import { continuesAssistant } from './prefill.ts';
import { anthropicBody } from './request.ts';

const VERSION = '2023-06-01';

/** The Anthropic Messages API (https://docs.anthropic.com/en/api/messages). */
export const anthropic: Dialect = {
  name: 'anthropic',
  framing: 'sse',
  authorization: 'header',
  continuesAssistant: (request, target) => continuesAssistant(request, target.model),
  encodeChat(request, target, media) {
    const { body, warnings, betas } = anthropicBody(request, target, media, { tiers: true });
    const key = target.credentials.apiKey;
    return {
      url: `${target.baseUrl}/v1/messages`,
      headers: [
        'content-type',
        'application/json',
        'accept-encoding',
        'identity',
        'anthropic-version',
        VERSION,
        ...(betas.length > 0 ? ['anthropic-beta', betas.join(',')] : []),
        ...(key === undefined || key === 'none' ? [] : ['x-api-key', key]),
      ],
      body: Buffer.from(JSON.stringify({ model: target.model, ...body })),
      warnings,
    };
  },
  decodeChat(body, context) {
    const builder = new CompletionBuilder(context);
    tellMessage(body, builder);
    return builder.build();
  },
  streamDecoder: (context) => new TranslatedStream(context, new AnthropicEvents()),
  decodeError: decodeAnthropicError,
};
