import type { Dialect, Target } from '../dialect.ts';
import { openai } from '../openai/dialect.ts';
import { decodeAzureError } from './error.ts';
import { deploymentUrl } from './url.ts';

/**
 * OpenAI's models on Azure (https://learn.microsoft.com/azure/ai-foundry/openai/reference): OpenAI's language at Azure's
 * addresses, with Azure's credentials and its content filter.
 */
export const azure: Dialect = {
  ...openai,
  name: 'azure',
  authorization: 'azure',
  billsAfterAbort: () => false,
  encodeChat(request, target, media) {
    // The key travels in a header of Azure's own, written when the request is authorized.
    const encoded = openai.encodeChat(request, { ...asAzure(target), credentials: {} }, media);
    return { ...encoded, url: deploymentUrl(target, 'chat/completions') };
  },
  decodeChat: (body, context) => openai.decodeChat(body, { ...context, target: asAzure(context.target) }),
  streamDecoder: (context) => openai.streamDecoder({ ...context, target: asAzure(context.target) }),
  decodeError: decodeAzureError,
};

/** Since this version a stream can be asked for its usage. */
const STREAM_OPTIONS_SINCE = '2024-09-01';

/** Whatever the provider is called in the configuration, it is OpenAI's models that answer. */
function asAzure(target: Target): Target {
  const version = target.settings.apiVersion ?? '';
  const isOld = /^\d{4}-/.test(version) && version < STREAM_OPTIONS_SINCE;
  return { ...target, settings: { ...target.settings, preset: isOld ? 'azure-old' : 'azure' } };
}
