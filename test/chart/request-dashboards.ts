/** What happens to requests. */
import { type Dashboard, MODEL, OF_MODEL, OF_PROVIDER, PROVIDER, q, quantiles } from './dashboard-parts.ts';

export const REQUEST_DASHBOARDS: readonly Dashboard[] = [
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
        ...{ title: 'Cost in the chosen time, by key', unit: 'currencyUSD', kind: 'bargauge' },
        description:
          'Where prices are known. The ledger is exact: npx headgate usage report. Holders of tokens are shown by group.',
        queries: [
          q(
            '{{gateway_key_name}}',
            `sum by (gateway_key_name) (increase(gateway_key_cost_total{%${OF_MODEL}${OF_PROVIDER}}[$__range]))`,
          ),
        ],
      },
      {
        ...{ title: 'Cost per hour, by key', unit: 'currencyUSD', stacked: true },
        queries: [
          q(
            '{{gateway_key_name}}',
            `3600 * sum by (gateway_key_name) (rate(gateway_key_cost_total{%${OF_MODEL}${OF_PROVIDER}}[$__rate_interval]))`,
          ),
        ],
      },
      {
        ...{ title: 'Cost per hour, by model', unit: 'currencyUSD', stacked: true },
        queries: [
          q(
            '{{gen_ai_request_model}}',
            `3600 * sum by (gen_ai_request_model) (rate(gateway_key_cost_total{%${OF_MODEL}${OF_PROVIDER}}[$__rate_interval]))`,
          ),
        ],
      },
      {
        ...{ title: 'Tokens per second, by key', unit: 'short', stacked: true },
        queries: [
          q(
            '{{gateway_key_name}} {{gateway_token_type}}',
            `sum by (gateway_key_name, gateway_token_type) (rate(gateway_key_tokens_total{%${OF_MODEL}${OF_PROVIDER}}[$__rate_interval]))`,
          ),
        ],
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
];
