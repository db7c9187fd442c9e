import type { Target } from '../dialect.ts';
import type { EmbeddingCall, EmbeddingDialect } from '../embedding-dialect.ts';

export const target = (fields: Partial<Target>): Target => ({
  provider: 'p',
  model: 'm',
  baseUrl: 'http://127.0.0.1:1',
  credentials: { apiKey: 'secret-key' },
  settings: {},
  maxOutputTokens: 0,
  publisher: '',
  ...fields,
});

export const call = (fields: Partial<EmbeddingCall> = {}): EmbeddingCall => ({
  items: ['a', 'b'],
  dimensions: null,
  format: 'float',
  user: '',
  extra: {},
  options: {},
  ...fields,
});

/** The body as parsed, and what else was encoded. */
export function encode(dialect: EmbeddingDialect, fields: Partial<EmbeddingCall>, to: Target) {
  const { url, headers, body, warnings } = dialect.encodeEmbeddings(call(fields), to);
  return { url, headers, body: JSON.parse(body.toString()) as Record<string, unknown>, warnings };
}

/** For `assert.throws`: a mistake of the caller's at this field. */
export const mistake = (param: string, code: string) => ({
  name: 'GatewayError',
  status: 400,
  failure: 'bad_request',
  param,
  code,
});
