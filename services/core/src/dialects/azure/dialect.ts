import type { Dialect } from '../dialect.ts';
import { openai } from '../openai/dialect.ts';
import { decodeAzureError } from './error.ts';
import { chatUrl } from './url.ts';

/**
 * OpenAI's models on Azure (https://learn.microsoft.com/azure/ai-foundry/openai/reference): OpenAI's language at Azure's
 * addresses, with Azure's credentials and its content filter.
 */
export const azure: Dialect = {
  ...openai,
  name: 'azure',
  authorization: 'azure',
  encodeChat(request, target, media) {
    // The key travels in a header of Azure's own, written when the request is authorized.
    const encoded = openai.encodeChat(request, { ...target, credentials: {} }, media);
    return { ...encoded, url: chatUrl(target) };
  },
  decodeError: decodeAzureError,
};
