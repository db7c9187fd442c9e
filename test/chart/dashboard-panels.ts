/** What the Grafana dashboards show. */

export interface Query {
  readonly expr: string;
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  readonly description?: string;
  /** Grafana's name of a unit. */
  readonly unit: string;
  readonly kind?: 'timeseries' | 'stat' | 'table' | 'bargauge' | 'text';
  /** Of 24 columns; default 12. */
  readonly width?: number;
  readonly queries: readonly Query[];
  /** Markdown, of a text. */
  readonly text?: string;
  readonly stacked?: boolean;
}

export interface Variable {
  readonly name: string;
  readonly label: string;
  /** label_values(METRIC, LABEL) */
  readonly metric: string;
  readonly of: string;
}

export interface Dashboard {
  /** Name of the file. */
  readonly name: string;
  readonly title: string;
  readonly variables?: readonly Variable[];
  readonly panels: readonly Panel[];
}

const MODEL: Variable = { name: 'model', label: 'Model', metric: 'gateway_tokens_total', of: 'gen_ai_request_model' };
const PROVIDER: Variable = {
  name: 'provider',
  label: 'Provider',
  metric: 'gateway_upstream_attempts_total',
  of: 'gateway_provider',
};

/** Every expression is of the namespace that is chosen; `%` is where that stands. */
const q = (legend: string, expr: string): Query => ({ legend, expr: expr.replaceAll('%', 'namespace=~"$namespace"') });

/** Quantiles of a histogram by a label. */
const quantiles = (metric: string, by: string, filter: string, of: readonly number[] = [0.5, 0.95, 0.99]): Query[] =>
  of.map((quantile) =>
    q(
      `{{${by}}} p${quantile * 100}`,
      `histogram_quantile(${quantile}, sum by (le, ${by}) (rate(${metric}_bucket{%${filter}}[$__rate_interval])))`,
    ),
  );

const OF_MODEL = ',gen_ai_request_model=~"$model"';
const OF_PROVIDER = ',gateway_provider=~"$provider"';

export const DASHBOARDS: readonly Dashboard[] = [
  {
    name: 'traffic',
    title: 'Headgate / Traffic',
    panels: [
      {
        ...{ title: 'Requests per second', unit: 'reqps', kind: 'stat', width: 6 },
        queries: [q('', 'sum(rate(gateway_requests_total{%}[$__rate_interval]))')],
      },
      {
        ...{ title: 'Served without a server error', unit: 'percentunit', kind: 'stat', width: 6 },
        queries: [
          q(
            '',
            '1 - (sum(rate(gateway_requests_total{%,http_response_status_code=~"5.."}[$__range])) or vector(0)) / sum(rate(gateway_requests_total{%}[$__range]))',
          ),
        ],
      },
      {
        ...{ title: 'Open streams', unit: 'short', kind: 'stat', width: 6 },
        queries: [q('', 'sum(gateway_streams_open{%})')],
      },
      {
        ...{ title: 'Requests in flight', unit: 'short', kind: 'stat', width: 6 },
        queries: [q('', 'sum(gateway_requests_in_flight{%})')],
      },
      {
        ...{ title: 'Requests by route', unit: 'reqps', stacked: true },
        queries: [q('{{http_route}}', 'sum by (http_route) (rate(gateway_requests_total{%}[$__rate_interval]))')],
      },
      {
        ...{ title: 'Requests by status', unit: 'reqps', stacked: true },
        queries: [
          q(
            '{{http_response_status_code}}',
            'sum by (http_response_status_code) (rate(gateway_requests_total{%}[$__rate_interval]))',
          ),
        ],
      },
      {
        title: 'Open streams and requests in flight, by pod',
        description: 'Open streams are what the ingress can be scaled by.',
        unit: 'short',
        queries: [
          q('{{pod}} streams', 'sum by (pod) (gateway_streams_open{%})'),
          q('{{pod}} requests', 'sum by (pod) (gateway_requests_in_flight{%})'),
        ],
      },
      {
        title: 'Clients that left, streams taken up again',
        description: 'A stream that a provider broke goes on from another one; the client does not notice.',
        unit: 'reqps',
        queries: [
          q('left: {{http_route}}', 'sum by (http_route) (rate(gateway_client_aborts_total{%}[$__rate_interval]))'),
          q(
            'taken up by {{gateway_provider}}',
            'sum by (gateway_provider) (rate(gateway_streams_resumed_total{%}[$__rate_interval]))',
          ),
        ],
      },
      {
        ...{ title: 'Event loop delay, 99th percentile', unit: 's' },
        description: 'Above 50 ms there is too little CPU: scale out.',
        queries: [q('{{pod}}', 'max by (pod) (nodejs_eventloop_delay_p99_seconds{%})')],
      },
      {
        ...{ title: 'Memory', unit: 'bytes' },
        queries: [
          q('{{pod}} resident', 'sum by (pod) (process_resident_memory_bytes{%})'),
          q('{{pod}} heap', 'sum by (pod) (nodejs_heap_used_bytes{%})'),
        ],
      },
      {
        ...{ title: 'Versions', unit: 'short', kind: 'table', width: 24 },
        queries: [q('', 'count by (service, version) (headgate_build_info{%})')],
      },
    ],
  },
  {
    name: 'latency',
    title: 'Headgate / Latency and time to first token',
    variables: [MODEL],
    panels: [
      {
        ...{ title: 'Time to first token, by model', unit: 's' },
        description: 'From the request to the first content sent to the client.',
        queries: quantiles('gen_ai_server_time_to_first_token_seconds', 'gen_ai_request_model', OF_MODEL),
      },
      {
        ...{ title: 'Time per output token, by model', unit: 's' },
        queries: quantiles('gen_ai_server_time_per_output_token_seconds', 'gen_ai_request_model', OF_MODEL),
      },
      {
        ...{ title: 'Duration of requests, by model', unit: 's' },
        description: 'All attempts and waits included.',
        queries: quantiles('gen_ai_server_request_duration_seconds', 'gen_ai_request_model', OF_MODEL),
      },
      {
        ...{ title: 'Duration of provider calls, by provider', unit: 's' },
        queries: quantiles('gen_ai_client_operation_duration_seconds', 'gen_ai_provider_name', OF_MODEL),
      },
      {
        ...{ title: 'First chunk of provider calls, by provider', unit: 's' },
        queries: quantiles('gen_ai_client_operation_time_to_first_chunk_seconds', 'gen_ai_provider_name', OF_MODEL),
      },
      {
        ...{ title: "Headgate's own part", unit: 's' },
        description: 'Part of a request during which no provider call was open; waits on purpose included.',
        queries: quantiles('gateway_overhead_seconds', 'gateway_operation', ''),
      },
      {
        ...{ title: 'HTTP, 95th percentile by route', unit: 's', width: 24 },
        queries: quantiles('http_server_request_duration_seconds', 'http_route', '', [0.95]),
      },
    ],
  },
  {
    name: 'errors',
    title: 'Headgate / Errors by class',
    variables: [PROVIDER],
    panels: [
      {
        ...{ title: 'Share of requests with a server error', unit: 'percentunit' },
        queries: [
          q(
            '5xx',
            'sum(rate(gateway_requests_total{%,http_response_status_code=~"5.."}[$__rate_interval])) / sum(rate(gateway_requests_total{%}[$__rate_interval]))',
          ),
        ],
      },
      {
        ...{ title: 'Failed requests, by class', unit: 'reqps', stacked: true },
        description: 'What the client was told, after all fallbacks.',
        queries: [
          q(
            '{{http_response_status_code}} {{error_type}}',
            'sum by (http_response_status_code, error_type) (rate(gateway_requests_total{%,error_type!=""}[$__rate_interval]))',
          ),
        ],
      },
      {
        ...{ title: 'Failed provider calls, by class', unit: 'reqps', stacked: true },
        queries: [
          q(
            '{{gateway_provider}} {{gateway_outcome}}',
            `sum by (gateway_provider, gateway_outcome) (rate(gateway_upstream_attempts_total{%,gateway_outcome!="success"${OF_PROVIDER}}[$__rate_interval]))`,
          ),
        ],
      },
      {
        ...{ title: 'Provider calls per request', unit: 'short' },
        description: 'Above 1: retries and fallbacks.',
        queries: [
          q(
            'calls per request',
            'sum(rate(gateway_upstream_attempts_total{%}[$__rate_interval])) / sum(rate(gen_ai_server_request_duration_seconds_count{%}[$__rate_interval]))',
          ),
        ],
      },
      {
        ...{ title: 'Refused by limits and budgets', unit: 'reqps', stacked: true },
        queries: [
          q(
            '{{gateway_limit_subject}} {{gateway_limit_name}}',
            'sum by (gateway_limit_subject, gateway_limit_name) (rate(gateway_limits_refused_total{%}[$__rate_interval]))',
          ),
        ],
      },
      {
        ...{ title: 'Failed requests of models, by model', unit: 'reqps', stacked: true },
        queries: [
          q(
            '{{gen_ai_request_model}} {{error_type}}',
            'sum by (gen_ai_request_model, error_type) (rate(gen_ai_server_request_duration_seconds_count{%,error_type!=""}[$__rate_interval]))',
          ),
        ],
      },
    ],
  },
  {
    name: 'providers',
    title: 'Headgate / Provider health and breakers',
    variables: [PROVIDER],
    panels: [
      {
        ...{ title: 'Circuit breakers', unit: 'short' },
        description: '0 closed, 1 half-open, 2 open. An endpoint with an open breaker comes last, and is not away.',
        queries: [
          q(
            '{{gateway_provider}} {{gateway_provider_model}}',
            `max by (gateway_provider, gateway_provider_model) (headgate_endpoint_breaker_state{%${OF_PROVIDER}})`,
          ),
        ],
      },
      {
        ...{ title: 'Left alone (429, refused credentials)', unit: 'short' },
        queries: [
          q(
            '{{gateway_provider}} {{gateway_provider_model}}',
            `max by (gateway_provider, gateway_provider_model) (headgate_endpoint_cooling{%${OF_PROVIDER}})`,
          ),
        ],
      },
      {
        ...{ title: 'Share of recent calls that succeeded', unit: 'percentunit' },
        queries: [
          q(
            '{{gateway_provider}} {{gateway_provider_model}}',
            `min by (gateway_provider, gateway_provider_model) (headgate_endpoint_success_ratio{%${OF_PROVIDER}})`,
          ),
        ],
      },
      {
        ...{ title: 'Provider calls, by outcome', unit: 'reqps', stacked: true },
        queries: [
          q(
            '{{gateway_provider}} {{gateway_outcome}}',
            `sum by (gateway_provider, gateway_outcome) (rate(gateway_upstream_attempts_total{%${OF_PROVIDER}}[$__rate_interval]))`,
          ),
        ],
      },
      {
        ...{ title: 'Recent time to first token (median)', unit: 's' },
        description: 'What sort: ttft goes by.',
        queries: [
          q(
            '{{gateway_provider}} {{gateway_provider_model}}',
            `max by (gateway_provider, gateway_provider_model) (headgate_endpoint_time_to_first_token_seconds{%${OF_PROVIDER}})`,
          ),
        ],
      },
      {
        ...{ title: 'Recent tokens per second (median)', unit: 'short' },
        queries: [
          q(
            '{{gateway_provider}} {{gateway_provider_model}}',
            `min by (gateway_provider, gateway_provider_model) (headgate_endpoint_tokens_per_second{%${OF_PROVIDER}})`,
          ),
        ],
      },
      {
        ...{ title: 'Calls there now', unit: 'short', stacked: true },
        queries: [
          q(
            '{{gateway_provider}} {{gateway_provider_model}}',
            `sum by (gateway_provider, gateway_provider_model) (headgate_endpoint_in_flight{%${OF_PROVIDER}})`,
          ),
        ],
      },
      {
        ...{ title: 'Broken streams that another one took up', unit: 'reqps' },
        queries: [
          q(
            '{{gateway_provider}}',
            `sum by (gateway_provider) (rate(gateway_streams_resumed_total{%${OF_PROVIDER}}[$__rate_interval]))`,
          ),
        ],
      },
    ],
  },
  {
    name: 'tokens',
    title: 'Headgate / Tokens',
    variables: [MODEL, PROVIDER],
    panels: [
      {
        ...{ title: 'Tokens in the chosen time, by kind', unit: 'short', kind: 'bargauge' },
        description: 'input has cache reads and writes in it, output reasoning.',
        queries: [
          q(
            '{{gateway_token_type}}',
            `sum by (gateway_token_type) (increase(gateway_tokens_total{%${OF_MODEL}${OF_PROVIDER}}[$__range]))`,
          ),
        ],
      },
      {
        title: 'Cost, and what a key used',
        kind: 'text',
        unit: 'short',
        queries: [],
        text: 'Metrics carry no key and no money. What each key, end user and tag used and cost is in the ledger:\n\n    npx headgate usage report\n    npx headgate budgets\n\nor `GET /v1/report` with a key (docs/operations.md, The ledger).',
      },
      {
        ...{ title: 'Tokens per second, by model', unit: 'short', stacked: true },
        queries: [
          q(
            '{{gen_ai_request_model}} {{gateway_token_type}}',
            `sum by (gen_ai_request_model, gateway_token_type) (rate(gateway_tokens_total{%,gateway_token_type=~"input|output"${OF_MODEL}${OF_PROVIDER}}[$__rate_interval]))`,
          ),
        ],
      },
      {
        ...{ title: 'Tokens per second, by provider', unit: 'short', stacked: true },
        queries: [
          q(
            '{{gateway_provider}} {{gateway_token_type}}',
            `sum by (gateway_provider, gateway_token_type) (rate(gateway_tokens_total{%,gateway_token_type=~"input|output"${OF_MODEL}${OF_PROVIDER}}[$__rate_interval]))`,
          ),
        ],
      },
      {
        ...{ title: 'Share of input read from caches, by model', unit: 'percentunit' },
        queries: [
          q(
            '{{gen_ai_request_model}}',
            `sum by (gen_ai_request_model) (rate(gateway_tokens_total{%,gateway_token_type="cache_read"${OF_MODEL}${OF_PROVIDER}}[$__rate_interval])) / sum by (gen_ai_request_model) (rate(gateway_tokens_total{%,gateway_token_type="input"${OF_MODEL}${OF_PROVIDER}}[$__rate_interval]))`,
          ),
        ],
      },
      {
        ...{ title: 'Tokens of a provider call, by model', unit: 'short' },
        queries: quantiles('gen_ai_client_token_usage', 'gen_ai_token_type', OF_MODEL, [0.5, 0.95]),
      },
      {
        ...{ title: 'Calls that did not say what they used', unit: 'reqps', stacked: true, width: 24 },
        description: 'estimated: what the ledger says of them may differ from the bill.',
        queries: [
          q(
            '{{gateway_provider}} {{gateway_usage_source}}',
            `sum by (gateway_provider, gateway_usage_source) (rate(gateway_usage_late_total{%${OF_PROVIDER}}[$__rate_interval]))`,
          ),
        ],
      },
    ],
  },
  {
    name: 'queue',
    title: 'Headgate / Queue and embedders',
    panels: [
      {
        ...{ title: 'Embedders that live', unit: 'short', kind: 'stat', width: 6 },
        queries: [q('', 'max(headgate_embedders_live{%})')],
      },
      {
        ...{ title: 'Calls that wait', unit: 'short', kind: 'stat', width: 6 },
        queries: [q('', 'sum(max by (gateway_provider) (headgate_queue_jobs{%,headgate_queue_job_state="waiting"}))')],
      },
      {
        ...{ title: 'Calls that ingresses wait for', unit: 'short', kind: 'stat', width: 6 },
        queries: [q('', 'sum(headgate_queue_waits{%})')],
      },
      {
        ...{ title: 'Made by ingresses themselves', unit: 'short', kind: 'stat', width: 6 },
        description: 'No embedder lived, or Redis had lost the call.',
        queries: [q('', 'sum(increase(headgate_queue_taken_over_total{%}[$__range]))')],
      },
      {
        ...{ title: 'Queued calls, by provider and state', unit: 'short', stacked: true },
        queries: [
          q(
            '{{gateway_provider}} {{headgate_queue_job_state}}',
            'max by (gateway_provider, headgate_queue_job_state) (headgate_queue_jobs{%})',
          ),
        ],
      },
      {
        ...{ title: 'Calls done, by outcome', unit: 'reqps', stacked: true },
        queries: [
          q(
            '{{gateway_provider}} {{gateway_outcome}}',
            'sum by (gateway_provider, gateway_outcome) (rate(headgate_queue_job_duration_seconds_count{%}[$__rate_interval]))',
          ),
        ],
      },
      {
        ...{ title: 'Duration of a call', unit: 's' },
        queries: quantiles('headgate_queue_job_duration_seconds', 'gateway_provider', ''),
      },
      {
        ...{ title: 'Back to the queue, found late, made by ingresses', unit: 'reqps' },
        queries: [
          q(
            '{{gateway_provider}} back to the queue',
            'sum by (gateway_provider) (rate(headgate_queue_retries_total{%}[$__rate_interval]))',
          ),
          q('word lost, found', 'sum(rate(headgate_queue_notifications_repaired_total{%}[$__rate_interval]))'),
          q('made by ingresses', 'sum(rate(headgate_queue_taken_over_total{%}[$__rate_interval]))'),
        ],
      },
    ],
  },
  {
    name: 'redis',
    title: 'Headgate / Redis, limits and ledger',
    panels: [
      {
        ...{ title: 'Redis answers, by pod', unit: 'short' },
        description: '0: the pod serves from what it holds in memory.',
        queries: [q('{{pod}}', 'min by (pod) (headgate_redis_up{%})')],
      },
      {
        ...{ title: 'Configuration in use, by pod', unit: 'short' },
        description: 'Differs for seconds while a change spreads.',
        queries: [q('{{pod}}', 'min by (pod) (headgate_snapshot_version{%})')],
      },
      {
        ...{ title: 'Calls to Redis for limits, per request', unit: 'short' },
        description: 'Above 0.05: many limits at their end, or many idle subjects.',
        queries: [
          q(
            'calls per request',
            'sum(rate(headgate_limits_lease_calls{%}[$__rate_interval])) / sum(rate(gateway_requests_total{%}[$__rate_interval]))',
          ),
          q(
            'requests that waited, per request',
            'sum(rate(headgate_limits_lease_waits{%}[$__rate_interval])) / sum(rate(gateway_requests_total{%}[$__rate_interval]))',
          ),
        ],
      },
      {
        ...{ title: 'Usage records', unit: 'short' },
        description: 'Waiting ones are in memory only; lost ones are missing in reports and budgets.',
        queries: [
          q('{{pod}} waiting', 'sum by (pod) (headgate_ledger_waiting{%})'),
          q('{{pod}} lost', 'sum by (pod) (headgate_ledger_dropped{%})'),
        ],
      },
      {
        ...{ title: 'Refused by limits and budgets', unit: 'reqps', stacked: true },
        queries: [
          q(
            '{{gateway_limit_subject}} {{gateway_limit_name}}',
            'sum by (gateway_limit_subject, gateway_limit_name) (rate(gateway_limits_refused_total{%}[$__rate_interval]))',
          ),
        ],
      },
      {
        ...{ title: 'Messages that Redis lost', unit: 'reqps' },
        queries: [q('found by looking', 'sum(rate(headgate_queue_notifications_repaired_total{%}[$__rate_interval]))')],
      },
    ],
  },
];
