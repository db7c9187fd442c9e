import type { Directives, ErrorKind } from '../../faults/directives.ts';
import type { HostError } from '../openai/api.ts';
import { wantedError as wantedOpenaiError } from '../openai/errors.ts';
import { filteredPrompt } from './contentFilter.ts';

/** An error of Azure's gateway, which knows a code and a message only. */
export class AzureError extends Error implements HostError {
  override readonly name = 'AzureError';
  readonly status: number;
  readonly code: string;
  readonly details: object;

  constructor(status: number, code: string, message: string, details: object = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }

  body(): { error: object } {
    return { error: { code: this.code, message: this.message, ...this.details } };
  }
}

/** Also what Azure says when `api-version` is missing or unknown. */
export function resourceNotFound(): AzureError {
  return new AzureError(404, '404', 'Resource not found');
}

export function accessDenied(): AzureError {
  return new AzureError(
    401,
    '401',
    'Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.',
  );
}

/** Those that Azure words itself; the others are OpenAI's. */
const kinds: Readonly<Partial<Record<ErrorKind, () => AzureError>>> = {
  content_filter: () =>
    new AzureError(
      400,
      'content_filter',
      "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
      {
        type: null,
        param: 'prompt',
        status: 400,
        innererror: { code: 'ResponsibleAIPolicyViolation', content_filter_result: filteredPrompt },
      },
    ),
  invalid_key: accessDenied,
  forbidden: () => new AzureError(403, '403', 'Access denied due to Virtual Network/Firewall rules.'),
  model_not_found: () =>
    new AzureError(
      404,
      'DeploymentNotFound',
      'The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.',
    ),
  rate_limit: () =>
    new AzureError(
      429,
      '429',
      'Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 20 seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit.',
    ),
  server: () =>
    new AzureError(500, 'InternalServerError', 'Internal server error. Please contact us through our help center.'),
  unavailable: () =>
    new AzureError(503, '503', 'The service is temporarily unable to process your request. Please try again later.'),
  overloaded: () =>
    new AzureError(
      503,
      'NoCapacity',
      'The system is currently experiencing high demand and cannot process your request.',
    ),
};

const kindOfStatus = new Map<number, ErrorKind>([
  [401, 'invalid_key'],
  [403, 'forbidden'],
  [404, 'model_not_found'],
  [429, 'rate_limit'],
  [500, 'server'],
  [503, 'unavailable'],
]);

/** The error that the directives ask for instead of an answer, if any. */
export function wantedError(directives: Directives, model: string): HostError | undefined {
  const { status, error, message, code } = directives;
  const failing = status !== undefined && status >= 400;
  const kind = error ?? (failing ? kindOfStatus.get(status) : undefined);
  const usual = kind === undefined ? undefined : kinds[kind]?.();
  if (usual === undefined) return wantedOpenaiError(directives, model);
  return new AzureError(failing ? status : usual.status, code ?? usual.code, message ?? usual.message, usual.details);
}
