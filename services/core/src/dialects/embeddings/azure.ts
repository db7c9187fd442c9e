import { decodeAzureError } from '../azure/error.ts';
import { deploymentUrl } from '../azure/url.ts';
import type { Target } from '../dialect.ts';
import type { EmbeddingDialect } from '../embedding-dialect.ts';
import { jsonRequest } from './fields.ts';
import { openaiAnswer, openaiBody, openaiEmbeddings } from './openai.ts';

/** OpenAI's models on Azure (https://learn.microsoft.com/azure/ai-foundry/openai/reference#embeddings). */
export const azureEmbeddings: EmbeddingDialect = {
  name: 'azure',
  authorization: 'azure',
  limits: (target) => openaiEmbeddings.limits(asAzure(target)),
  encodeEmbeddings(call, target) {
    const { body, warnings } = openaiBody(call, asAzure(target));
    return jsonRequest(deploymentUrl(target, 'embeddings'), body, warnings);
  },
  decodeEmbeddings: (body, call) => openaiAnswer(body, call),
  decodeError: decodeAzureError,
};

/** Whatever the provider is called in the configuration, it is OpenAI's models that answer. */
const asAzure = (target: Target): Target => ({ ...target, settings: { ...target.settings, preset: 'azure' } });
