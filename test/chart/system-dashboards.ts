/** What requests depend on. */
import { type Dashboard, OF_PROVIDER, PROVIDER, q, quantiles } from './dashboard-parts.ts';

export const SYSTEM_DASHBOARDS: readonly Dashboard[] = [
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
        ...{ title: 'Active probes, by outcome', unit: 'reqps', stacked: true },
        description: 'Of endpoints with an open breaker, by control; a success closes it.',
        queries: [
          q(
            '{{gateway_provider}} {{gateway_outcome}}',
            'sum by (gateway_provider, gateway_outcome) (rate(headgate_probes_total{%}[$__rate_interval]))',
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
      {
        ...{ title: 'Jobs of batches that wait', unit: 'short' },
        description:
          'They go behind all that somebody waits for: a steady number is no fault while batches end in time.',
        queries: [q('{{headgate_batch_job}}', 'max by (headgate_batch_job) (headgate_batch_jobs{%})')],
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
        ...{ title: 'Configuration of control', unit: 'short' },
        description: 'Refused: the file as it stands cannot be used. Not published: Redis has not taken the newest.',
        queries: [
          q('{{pod}} refused', 'max by (pod) (headgate_config_refused{%})'),
          q('{{pod}} not published', '1 - min by (pod) (headgate_snapshot_settled{%})'),
        ],
      },
      {
        ...{ title: 'Changes of headgate.yaml', unit: 'short' },
        queries: [
          q(
            '{{gateway_outcome}}',
            'sum by (gateway_outcome) (increase(headgate_config_reloads_total{%}[$__rate_interval]))',
          ),
        ],
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
        ...{ title: 'Usage not yet in reports', unit: 's' },
        description: 'Age of the oldest record that no control has added to the ledger.',
        queries: [q('age', 'max(headgate_ledger_stream_age_seconds{%})')],
      },
      {
        ...{ title: 'Usage records added to the ledger', unit: 'reqps' },
        queries: [q('{{pod}}', 'sum by (pod) (rate(headgate_ledger_rolled_up_total{%}[$__rate_interval]))')],
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
