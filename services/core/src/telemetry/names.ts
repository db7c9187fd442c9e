/**
 * Every span, attribute and metric name in one place. Sources: OpenTelemetry GenAI conventions (v1.41.1, `gen_ai.*`,
 * WIRE 2.18), stable HTTP conventions (`http.*`, `url.*`, `server.*`, `error.type`), Prometheus client conventions
 * (`process.*`, `nodejs.*`). Ours are `gateway.*` for what happens to requests and `headgate.*` for the state of a process.
 *
 * `OTEL_SEMCONV_STABILITY_OPT_IN` chooses the profile (comma-separated list, as in the specification):
 * - unset: the names of v1.41.1. HTTP names are always the stable ones, so `http` and `http/dup` change nothing.
 * - `gen_ai_latest_experimental`: where the conventions are being renamed, the new name (see `RENAMED_LATEST`).
 */

export const SPAN_ROUTE = 'route';
export const SCOPE = 'headgate';

export const ATTR = {
  httpMethod: 'http.request.method',
  httpRoute: 'http.route',
  httpStatus: 'http.response.status_code',
  urlPath: 'url.path',
  urlScheme: 'url.scheme',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  errorType: 'error.type',

  messagingSystem: 'messaging.system',
  messagingOperation: 'messaging.operation.type',
  messagingDestination: 'messaging.destination.name',
  messagingMessageId: 'messaging.message.id',

  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  requestStream: 'gen_ai.request.stream',
  requestSeed: 'gen_ai.request.seed',
  requestChoices: 'gen_ai.request.choice.count',
  requestMaxTokens: 'gen_ai.request.max_tokens',
  requestTemperature: 'gen_ai.request.temperature',
  requestTopP: 'gen_ai.request.top_p',
  requestTopK: 'gen_ai.request.top_k',
  requestFrequencyPenalty: 'gen_ai.request.frequency_penalty',
  requestPresencePenalty: 'gen_ai.request.presence_penalty',
  requestStopSequences: 'gen_ai.request.stop_sequences',
  requestEncodingFormats: 'gen_ai.request.encoding_formats',
  outputType: 'gen_ai.output.type',
  embeddingDimensions: 'gen_ai.embeddings.dimension.count',
  responseId: 'gen_ai.response.id',
  responseModel: 'gen_ai.response.model',
  responseFinishReasons: 'gen_ai.response.finish_reasons',
  /** Seconds from the start of the attempt. */
  responseTimeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  /** Includes cached and cache-write tokens. */
  usageInput: 'gen_ai.usage.input_tokens',
  /** Includes reasoning tokens. */
  usageOutput: 'gen_ai.usage.output_tokens',
  usageCacheRead: 'gen_ai.usage.cache_read.input_tokens',
  usageCacheWrite: 'gen_ai.usage.cache_creation.input_tokens',
  usageReasoning: 'gen_ai.usage.reasoning.output_tokens',
  tokenType: 'gen_ai.token.type',
  openaiApiType: 'openai.api.type',
  openaiRequestServiceTier: 'openai.request.service_tier',

  requestId: 'gateway.request.id',
  generationId: 'gateway.generation.id',
  keyName: 'gateway.key.name',
  gatewayOperation: 'gateway.operation',
  gatewayRequestModel: 'gateway.request.model',
  gatewayResponseModel: 'gateway.response.model',
  stream: 'gateway.stream',
  plan: 'gateway.plan',
  /** The provider's name in headgate.yaml. */
  gatewayProvider: 'gateway.provider',
  providerModel: 'gateway.provider.model',
  dialect: 'gateway.dialect',
  attempts: 'gateway.attempts',
  attemptNumber: 'gateway.attempt.number',
  outcome: 'gateway.outcome',
  /** `provider`, `drained` or `estimated`. */
  usageSource: 'gateway.usage.source',
  clientAborted: 'gateway.client.aborted',
  /** The caller's own dimensions, `providerOptions.gateway.user` and `.tags`: in spans, never in metrics. */
  endUser: 'gateway.user',
  tags: 'gateway.tags',
  gatewayTokenType: 'gateway.token.type',
  /** A broken stream was taken up by another attempt. */
  resumed: 'gateway.stream.resumed',
  limitSubject: 'gateway.limit.subject',
  limitName: 'gateway.limit.name',
  /** `waiting`, `active` or `delayed`. */
  jobState: 'headgate.queue.job.state',
  /** `batch`: one to be validated or finished; `lines`: some fifty of a batch's requests. */
  batchJob: 'headgate.batch.job',

  /** Set by OpenTelemetry's rule on the one series that takes everything beyond the cardinality limit. */
  overflow: 'otel.metric.overflow',
} as const;

export type MetricKind = 'counter' | 'gauge' | 'histogram';

export interface MetricDefinition {
  readonly name: string;
  readonly kind: MetricKind;
  /** UCUM, as OpenTelemetry writes it: `s`, `By`, `{token}`. */
  readonly unit: string;
  readonly help: string;
  /** Attribute names, in the order in which values are given. */
  readonly labels: readonly string[];
  /** Inclusive upper bounds; histograms only. */
  readonly boundaries?: readonly number[];
}

const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const HTTP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864];
const FIRST_TOKEN_SECONDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const PER_TOKEN_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const OVERHEAD_SECONDS = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

const MODEL_LABELS = [ATTR.operation, ATTR.provider, ATTR.requestModel] as const;

/** An endpoint is a provider and its own model id. */
const ENDPOINT_LABELS = [ATTR.gatewayProvider, ATTR.providerModel] as const;

export const METRIC = {
  clientTokens: {
    name: 'gen_ai.client.token.usage',
    kind: 'histogram',
    unit: '{token}',
    help: 'Tokens used by one provider call.',
    labels: [...MODEL_LABELS, ATTR.tokenType],
    boundaries: TOKENS,
  },
  clientDuration: {
    name: 'gen_ai.client.operation.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of one provider call.',
    labels: [...MODEL_LABELS, ATTR.errorType],
    boundaries: SECONDS,
  },
  clientFirstChunk: {
    name: 'gen_ai.client.operation.time_to_first_chunk',
    kind: 'histogram',
    unit: 's',
    help: 'Time from the start of a provider call to its first streamed chunk.',
    labels: MODEL_LABELS,
    boundaries: SECONDS,
  },
  serverDuration: {
    name: 'gen_ai.server.request.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of a model request as the gateway served it, all attempts included.',
    labels: [...MODEL_LABELS, ATTR.errorType],
    boundaries: SECONDS,
  },
  serverFirstToken: {
    name: 'gen_ai.server.time_to_first_token',
    kind: 'histogram',
    unit: 's',
    help: 'Time from a streamed request to the first content byte sent to the client.',
    labels: MODEL_LABELS,
    boundaries: FIRST_TOKEN_SECONDS,
  },
  serverPerToken: {
    name: 'gen_ai.server.time_per_output_token',
    kind: 'histogram',
    unit: 's',
    help: 'Time per output token after the first, of streams that ended well.',
    labels: MODEL_LABELS,
    boundaries: PER_TOKEN_SECONDS,
  },
  httpDuration: {
    name: 'http.server.request.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of HTTP requests.',
    labels: [ATTR.httpMethod, ATTR.httpRoute, ATTR.httpStatus],
    boundaries: HTTP_SECONDS,
  },
  requests: {
    name: 'gateway.requests',
    kind: 'counter',
    unit: '{request}',
    help: 'Requests ended, by route, status and error type.',
    labels: [ATTR.httpRoute, ATTR.httpStatus, ATTR.errorType],
  },
  clientAborts: {
    name: 'gateway.client.aborts',
    kind: 'counter',
    unit: '{request}',
    help: 'Requests whose client left before the answer was complete.',
    labels: [ATTR.httpRoute],
  },
  attempts: {
    name: 'gateway.upstream.attempts',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Provider calls by outcome: success, or the class of the failure.',
    labels: [ATTR.gatewayProvider, ATTR.outcome],
  },
  resumedStreams: {
    name: 'gateway.streams.resumed',
    kind: 'counter',
    unit: '{stream}',
    help: 'Broken streams that another attempt took up, so that the client had a whole answer; by who ended them.',
    labels: [ATTR.gatewayProvider],
  },
  lateUsage: {
    name: 'gateway.usage.late',
    kind: 'counter',
    unit: '{attempt}',
    help: 'Attempts that did not end by saying what they used: drained until they did, estimated, or failed with it.',
    labels: [ATTR.gatewayProvider, ATTR.usageSource],
  },
  tokens: {
    name: 'gateway.tokens',
    kind: 'counter',
    unit: '{token}',
    help: 'Tokens billed. input includes cache_read and cache_write, output includes reasoning.',
    labels: [ATTR.requestModel, ATTR.gatewayProvider, ATTR.gatewayTokenType],
  },
  keyTokens: {
    name: 'gateway.key.tokens',
    kind: 'counter',
    unit: '{token}',
    help: 'Tokens that requests of a key are accounted for. input has cache reads and writes in it, output reasoning.',
    labels: [ATTR.keyName, ATTR.requestModel, ATTR.gatewayProvider, ATTR.gatewayTokenType],
  },
  keyCost: {
    name: 'gateway.key.cost',
    kind: 'counter',
    unit: '{USD}',
    help: 'US dollars that requests of a key are accounted for, where prices are known. The ledger is exact, this is a sum.',
    labels: [ATTR.keyName, ATTR.requestModel, ATTR.gatewayProvider],
  },
  overhead: {
    name: 'gateway.overhead',
    kind: 'histogram',
    unit: 's',
    help: 'Part of a request during which no provider call was open.',
    labels: [ATTR.gatewayOperation],
    boundaries: OVERHEAD_SECONDS,
  },
  inFlight: {
    name: 'gateway.requests.in_flight',
    kind: 'gauge',
    unit: '{request}',
    help: 'Requests being served.',
    labels: [],
  },
  openStreams: {
    name: 'gateway.streams.open',
    kind: 'gauge',
    unit: '{stream}',
    help: 'Streamed answers being served.',
    labels: [],
  },
  snapshotVersion: {
    name: 'headgate.snapshot.version',
    kind: 'gauge',
    unit: '{version}',
    help: 'Version of the routing snapshot in use; 0 before the first.',
    labels: [],
  },
  redisUp: {
    name: 'headgate.redis.up',
    kind: 'gauge',
    unit: '{boolean}',
    help: '1 while Redis answers, else 0.',
    labels: [],
  },
  limitsRefused: {
    name: 'gateway.limits.refused',
    kind: 'counter',
    unit: '{request}',
    help: 'Requests that a limit or a budget refused, by whose it is and which.',
    labels: [ATTR.limitSubject, ATTR.limitName],
  },
  limitCalls: {
    name: 'headgate.limits.lease.calls',
    kind: 'gauge',
    unit: '{call}',
    help: 'Calls to Redis for leases since the start.',
    labels: [],
  },
  limitWaits: {
    name: 'headgate.limits.lease.waits',
    kind: 'gauge',
    unit: '{request}',
    help: 'Requests since the start that had to wait for a lease.',
    labels: [],
  },
  ledgerWaiting: {
    name: 'headgate.ledger.waiting',
    kind: 'gauge',
    unit: '{record}',
    help: 'Usage records that are not yet written to Redis.',
    labels: [],
  },
  ledgerDropped: {
    name: 'headgate.ledger.dropped',
    kind: 'gauge',
    unit: '{record}',
    help: 'Usage records lost since the start because Redis was away for too long.',
    labels: [],
  },
  ledgerRolledUp: {
    name: 'headgate.ledger.rolled_up',
    kind: 'counter',
    unit: '{record}',
    help: 'Usage records that this control has added to the sums of the ledger.',
    labels: [],
  },
  ledgerStreamEntries: {
    name: 'headgate.ledger.stream.entries',
    kind: 'gauge',
    unit: '{entry}',
    help: 'Entries of the usage stream, each with some records, that no control has added to the ledger yet.',
    labels: [],
  },
  ledgerStreamAge: {
    name: 'headgate.ledger.stream.age',
    kind: 'gauge',
    unit: 's',
    help: 'Age of the oldest of these entries; 0 when there is none.',
    labels: [],
  },
  publishedVersion: {
    name: 'headgate.snapshot.published.version',
    kind: 'gauge',
    unit: '{version}',
    help: 'Version of the routing snapshot that this control brought to Redis last; 0 before the first.',
    labels: [],
  },
  publishedTime: {
    name: 'headgate.snapshot.published.time',
    kind: 'gauge',
    unit: 's',
    help: 'When that was, Unix time.',
    labels: [],
  },
  publishedSettled: {
    name: 'headgate.snapshot.settled',
    kind: 'gauge',
    unit: '{boolean}',
    help: '1 when Redis has taken what the configuration says now, 0 while it has not.',
    labels: [],
  },
  configRefused: {
    name: 'headgate.config.refused',
    kind: 'gauge',
    unit: '{boolean}',
    help: '1 while headgate.yaml as it stands cannot be used, so that the last good one keeps serving, else 0.',
    labels: [],
  },
  configReloads: {
    name: 'headgate.config.reloads',
    kind: 'counter',
    unit: '{reload}',
    help: 'Changes of headgate.yaml by outcome: taken, or refused.',
    labels: [ATTR.outcome],
  },
  probes: {
    name: 'headgate.probes',
    kind: 'counter',
    unit: '{probe}',
    help: 'Active probes of endpoints with an open breaker, by outcome: success, or the class of the failure.',
    labels: [ATTR.gatewayProvider, ATTR.outcome],
  },
  endpointBreaker: {
    name: 'headgate.endpoint.breaker.state',
    kind: 'gauge',
    unit: '{state}',
    help: 'Circuit breaker of an endpoint: 0 closed, 1 half-open, 2 open. The worst that any process knows.',
    labels: ENDPOINT_LABELS,
  },
  endpointCooling: {
    name: 'headgate.endpoint.cooling',
    kind: 'gauge',
    unit: '{boolean}',
    help: '1 while an endpoint is left alone because it asked for that (429) or refused our key, else 0.',
    labels: ENDPOINT_LABELS,
  },
  endpointSuccess: {
    name: 'headgate.endpoint.success.ratio',
    kind: 'gauge',
    unit: '1',
    help: 'Share of recent calls of an endpoint that succeeded, 0 to 1.',
    labels: ENDPOINT_LABELS,
  },
  endpointFirstToken: {
    name: 'headgate.endpoint.time_to_first_token',
    kind: 'gauge',
    unit: 's',
    help: 'Recent median time to the first token of an endpoint.',
    labels: ENDPOINT_LABELS,
  },
  endpointSpeed: {
    name: 'headgate.endpoint.tokens_per_second',
    kind: 'gauge',
    unit: '{token}/s',
    help: 'Recent median speed of an endpoint behind the first token.',
    labels: ENDPOINT_LABELS,
  },
  endpointInFlight: {
    name: 'headgate.endpoint.in_flight',
    kind: 'gauge',
    unit: '{request}',
    help: 'Calls that are at an endpoint now, of all processes of this service.',
    labels: ENDPOINT_LABELS,
  },
  queueJobs: {
    name: 'headgate.queue.jobs',
    kind: 'gauge',
    unit: '{job}',
    help: 'Calls of large embeddings requests that are queued: waiting, active or delayed, by provider.',
    labels: [ATTR.gatewayProvider, ATTR.jobState],
  },
  queueJobDuration: {
    name: 'headgate.queue.job.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Time that an embedder spent on a queued call; one that is tried again counts each time.',
    labels: [ATTR.gatewayProvider, ATTR.outcome],
    boundaries: SECONDS,
  },
  queueRetries: {
    name: 'headgate.queue.retries',
    kind: 'counter',
    unit: '{job}',
    help: 'Queued calls that went back to the queue: the provider was busy, or failed in a way that may pass.',
    labels: [ATTR.gatewayProvider],
  },
  batchJobs: {
    name: 'headgate.batch.jobs',
    kind: 'gauge',
    unit: '{job}',
    help: 'Jobs of batches that are queued and do not run: batches to validate or finish, and parts of about fifty lines.',
    labels: [ATTR.batchJob],
  },
  queueWaits: {
    name: 'headgate.queue.waits',
    kind: 'gauge',
    unit: '{job}',
    help: 'Queued calls that processes of this service wait for.',
    labels: [],
  },
  queueRepaired: {
    name: 'headgate.queue.notifications.repaired',
    kind: 'counter',
    unit: '{job}',
    help: 'Results that were found by looking for them, because word of them was lost.',
    labels: [],
  },
  queueTakenOver: {
    name: 'headgate.queue.taken_over',
    kind: 'counter',
    unit: '{job}',
    help: 'Queued calls that a waiting process made itself, because no embedder lived or Redis had lost them.',
    labels: [],
  },
  liveEmbedders: {
    name: 'headgate.embedders.live',
    kind: 'gauge',
    unit: '{process}',
    help: 'Embedders that have said in the last seconds that they live.',
    labels: [],
  },
  buildInfo: {
    name: 'headgate.build.info',
    kind: 'gauge',
    unit: '{build}',
    help: 'Always 1; the labels say what runs.',
    labels: ['service', 'version'],
  },
  processStart: {
    name: 'process.start_time',
    kind: 'gauge',
    unit: 's',
    help: 'Start of the process, Unix time.',
    labels: [],
  },
  residentMemory: {
    name: 'process.resident_memory',
    kind: 'gauge',
    unit: 'By',
    help: 'Resident set size.',
    labels: [],
  },
  heapUsed: {
    name: 'nodejs.heap_used',
    kind: 'gauge',
    unit: 'By',
    help: 'V8 heap in use.',
    labels: [],
  },
  heapTotal: {
    name: 'nodejs.heap_total',
    kind: 'gauge',
    unit: 'By',
    help: 'V8 heap reserved.',
    labels: [],
  },
  eventLoopP50: {
    name: 'nodejs.eventloop.delay.p50',
    kind: 'gauge',
    unit: 's',
    help: 'Median event loop delay of the last half minute.',
    labels: [],
  },
  eventLoopP99: {
    name: 'nodejs.eventloop.delay.p99',
    kind: 'gauge',
    unit: 's',
    help: '99th percentile of event loop delay of the last half minute.',
    labels: [],
  },
  eventLoopMax: {
    name: 'nodejs.eventloop.delay.max',
    kind: 'gauge',
    unit: 's',
    help: 'Longest event loop delay of the last half minute.',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;

export type SemconvProfile = 'stable' | 'latest';

export function semconvProfile(env: Readonly<Record<string, string | undefined>>): SemconvProfile {
  const wishes = (env.OTEL_SEMCONV_STABILITY_OPT_IN ?? '').split(',');
  return wishes.some((wish) => wish.trim() === 'gen_ai_latest_experimental') ? 'latest' : 'stable';
}

/** open-telemetry/semantic-conventions-genai#521, not merged when this was written: hence only on request. */
const RENAMED_LATEST: Readonly<Record<string, string>> = {
  'gen_ai.client.operation.duration': 'gen_ai.client.inference.duration',
  'gen_ai.client.operation.time_to_first_chunk': 'gen_ai.client.inference.time_to_first_chunk',
};

export function metricName(name: string, profile: SemconvProfile): string {
  return profile === 'latest' ? (RENAMED_LATEST[name] ?? name) : name;
}

const PROVIDER_BY_DIALECT: Readonly<Record<string, string>> = {
  anthropic: 'anthropic',
  azure: 'azure.ai.openai',
  bedrock: 'aws.bedrock',
  cohere: 'cohere',
  gemini: 'gcp.gemini',
  vertex: 'gcp.vertex_ai',
  voyage: 'voyage',
};

const PROVIDER_BY_NAME: Readonly<Record<string, string>> = {
  deepseek: 'deepseek',
  groq: 'groq',
  mistral: 'mistral_ai',
  mistralai: 'mistral_ai',
  moonshot: 'moonshot_ai',
  moonshotai: 'moonshot_ai',
  openai: 'openai',
  perplexity: 'perplexity',
  watsonx: 'ibm.watsonx.ai',
  xai: 'x_ai',
};

/**
 * `gen_ai.provider.name` of a provider. Its dialect says it, unless that is OpenAI's, which many speak: then its name in
 * headgate.yaml, as the conventions' well-known value where there is one.
 */
export function genAiProviderName(provider: string, dialect: string): string {
  return PROVIDER_BY_DIALECT[dialect] ?? PROVIDER_BY_NAME[provider.toLowerCase().replaceAll(/[-_ ]/g, '')] ?? provider;
}
