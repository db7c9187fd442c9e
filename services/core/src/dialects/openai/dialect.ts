import type { Dialect } from '../dialect.ts';
import { urlsToFetch } from '../gemini/media.ts';
import { continuesAssistant } from './compatible/prefill.ts';
import { presetOf } from './compatible/presets.ts';
import { decodeOpenAiError } from './error.ts';
import { encodeOpenAiChat } from './request.ts';
import { decodeOpenAiChat } from './response.ts';
import { OpenAiStream } from './stream.ts';

/** The OpenAI chat completions API and every provider that speaks it. Bytes pass through wherever they can. */
export const openai: Dialect = {
  name: 'openai',
  framing: 'sse',
  authorization: 'header',
  /** Some compatible providers take images as bytes only. */
  remoteMedia: (request, target) => (presetOf(target).imageUrls ? [] : urlsToFetch(request)),
  continuesAssistant,
  prefill: { mark: { prefix: true }, echoed: true },
  billsAfterAbort: (target) => presetOf(target).billsAfterAbort,
  encodeChat: encodeOpenAiChat,
  decodeChat: decodeOpenAiChat,
  streamDecoder: (context) => new OpenAiStream(context),
  decodeError: decodeOpenAiError,
};
