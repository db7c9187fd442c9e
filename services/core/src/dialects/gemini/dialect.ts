import type { AnswerContext, ChatAnswer, Dialect, StreamContext, StreamDecoder } from '../dialect.ts';
import { CompletionBuilder, TranslatedStream } from '../translation/index.ts';
import { GeminiAnswer } from './answer.ts';
import { decodeGoogleError } from './error.ts';
import { googleUrlsToFetch } from './media.ts';
import { geminiBody } from './request.ts';

/** Google AI Studio (https://ai.google.dev/api/generate-content). */
export const gemini: Dialect = {
  name: 'gemini',
  framing: 'sse',
  authorization: 'header',
  remoteMedia: googleUrlsToFetch,
  billsAfterAbort: () => true,
  usageRuns: () => true,
  encodeChat(request, target, media) {
    const { body, warnings } = geminiBody(request, target, media, 'studio');
    const key = target.credentials.apiKey;
    const model = target.model.includes('/') ? target.model : `models/${target.model}`;
    return {
      url: `${target.baseUrl}/v1beta/${model}:${geminiMethod(request.stream)}`,
      headers: [
        'content-type',
        'application/json',
        'accept-encoding',
        'identity',
        // Not in the URL, which stands in logs.
        ...(key === undefined || key === 'none' ? [] : ['x-goog-api-key', key]),
      ],
      body: Buffer.from(JSON.stringify(body)),
      warnings,
    };
  },
  decodeChat: decodeGeminiChat,
  streamDecoder: geminiStreamDecoder,
  decodeError: decodeGoogleError,
};

export const geminiMethod = (stream: boolean): string => (stream ? 'streamGenerateContent?alt=sse' : 'generateContent');

export function decodeGeminiChat(body: Buffer, context: AnswerContext): ChatAnswer {
  const builder = new CompletionBuilder(context);
  new GeminiAnswer(context, 1).tell(body, '', builder);
  return builder.build();
}

export function geminiStreamDecoder(context: StreamContext): StreamDecoder {
  return new TranslatedStream(context, new GeminiAnswer(context, context.choices));
}
