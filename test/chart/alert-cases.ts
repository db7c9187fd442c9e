/** For each alert, series with which it has to fire, and nearly the same with which it must not. */

export interface AlertCase {
  readonly alert: string;
  /** Series -> values a minute apart, in promtool's notation: `0+60x30` is 0, 60, 120 ... */
  readonly series: Readonly<Record<string, string>>;
  /** Labels beside those of the rule; null: it stays silent. */
  readonly fires: { readonly labels?: Readonly<Record<string, string>> } | null;
}

const ENDPOINT = 'gateway_provider="a",gateway_provider_model="b"';
const FIRST_TOKEN = 'gen_ai_server_time_to_first_token_seconds_bucket{gen_ai_request_model="m"';
const requests = (good: number, bad: number) => ({
  'gateway_requests_total{http_response_status_code="200"}': `0+${good}x60`,
  'gateway_requests_total{http_response_status_code="503"}': `0+${bad}x60`,
});

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: 'HeadgateNotScraped',
    series: { 'headgate_build_info{service="embedder"}': '1x60' },
    fires: { labels: { namespace: 'ai', service: 'ingress' } },
  },
  { alert: 'HeadgateNotScraped', series: { 'headgate_build_info{service="ingress"}': '1x60' }, fires: null },
  { alert: 'HeadgateServerErrors', series: requests(90, 10), fires: {} },
  { alert: 'HeadgateServerErrors', series: requests(98, 2), fires: null },
  // One failed request in a quiet hour.
  { alert: 'HeadgateServerErrors', series: requests(0, 0.5), fires: null },
  {
    alert: 'HeadgateNoConfiguration',
    series: { 'headgate_snapshot_version{pod="p"}': '0x60' },
    fires: { labels: { pod: 'p' } },
  },
  { alert: 'HeadgateNoConfiguration', series: { 'headgate_snapshot_version{pod="p"}': '3x60' }, fires: null },
  {
    alert: 'HeadgateConfigurationRefused',
    series: { 'headgate_config_refused{pod="p"}': '1x60' },
    fires: { labels: { pod: 'p' } },
  },
  // An editor's half-written file.
  { alert: 'HeadgateConfigurationRefused', series: { 'headgate_config_refused{pod="p"}': '1 0x60' }, fires: null },
  {
    alert: 'HeadgateConfigurationNotPublished',
    series: { 'headgate_snapshot_settled{pod="p"}': '0x60' },
    fires: { labels: { pod: 'p' } },
  },
  {
    alert: 'HeadgateConfigurationNotPublished',
    series: { 'headgate_snapshot_settled{pod="p"}': '0 0 1x60' },
    fires: null,
  },
  {
    alert: 'HeadgateConfigurationsDiffer',
    series: { 'headgate_snapshot_version{pod="p"}': '3x60', 'headgate_snapshot_version{pod="q"}': '4x60' },
    fires: {},
  },
  {
    alert: 'HeadgateConfigurationsDiffer',
    series: { 'headgate_snapshot_version{pod="p"}': '4x60', 'headgate_snapshot_version{pod="q"}': '4x60' },
    fires: null,
  },
  { alert: 'HeadgateRedisDown', series: { 'headgate_redis_up{pod="p"}': '0x60' }, fires: { labels: { pod: 'p' } } },
  { alert: 'HeadgateRedisDown', series: { 'headgate_redis_up{pod="p"}': '1x60' }, fires: null },
  {
    alert: 'HeadgateUsageWaits',
    series: { 'headgate_ledger_waiting{pod="p"}': '20000x60' },
    fires: { labels: { pod: 'p' } },
  },
  { alert: 'HeadgateUsageWaits', series: { 'headgate_ledger_waiting{pod="p"}': '200x60' }, fires: null },
  {
    alert: 'HeadgateLedgerBehind',
    series: {
      'headgate_ledger_stream_age_seconds{pod="p"}': '0+60x60',
      'headgate_ledger_stream_age_seconds{pod="q"}': '0x60',
    },
    fires: {},
  },
  { alert: 'HeadgateLedgerBehind', series: { 'headgate_ledger_stream_age_seconds{pod="p"}': '2x60' }, fires: null },
  {
    alert: 'HeadgateNoControl',
    series: { 'headgate_build_info{service="ingress"}': '1x60' },
    fires: { labels: { namespace: 'ai', service: 'control' } },
  },
  {
    alert: 'HeadgateNoControl',
    series: { 'headgate_build_info{service="ingress"}': '1x60', 'headgate_build_info{service="control"}': '1x60' },
    fires: null,
  },
  // That nothing is scraped is another alert's.
  { alert: 'HeadgateNoControl', series: { 'headgate_build_info{service="embedder"}': '1x60' }, fires: null },
  { alert: 'HeadgateUsageLost', series: { headgate_ledger_dropped: '0x25 7x30' }, fires: {} },
  { alert: 'HeadgateUsageLost', series: { headgate_ledger_dropped: '7x60' }, fires: null },
  {
    alert: 'HeadgateBreakerOpen',
    series: { [`headgate_endpoint_breaker_state{${ENDPOINT}}`]: '2x60' },
    fires: { labels: { gateway_provider: 'a', gateway_provider_model: 'b' } },
  },
  // Half-open between tries.
  {
    alert: 'HeadgateBreakerOpen',
    series: { [`headgate_endpoint_breaker_state{${ENDPOINT}}`]: '2 2 1 2 0x60' },
    fires: null,
  },
  {
    alert: 'HeadgateProviderRefusesKey',
    series: { 'gateway_upstream_attempts_total{gateway_provider="a",gateway_outcome="auth"}': '0+2x60' },
    fires: { labels: { gateway_provider: 'a' } },
  },
  {
    alert: 'HeadgateProviderRefusesKey',
    series: { 'gateway_upstream_attempts_total{gateway_provider="a",gateway_outcome="success"}': '0+2x60' },
    fires: null,
  },
  {
    alert: 'HeadgateProviderQuota',
    series: { [`headgate_endpoint_cooling{${ENDPOINT}}`]: '1x60' },
    fires: { labels: { gateway_provider: 'a', gateway_provider_model: 'b' } },
  },
  {
    alert: 'HeadgateProviderQuota',
    series: { [`headgate_endpoint_cooling{${ENDPOINT}}`]: '1x20 0x2 1x40' },
    fires: null,
  },
  {
    alert: 'HeadgateSlowFirstToken',
    series: {
      [`${FIRST_TOKEN},le="7.5"}`]: '0+50x60',
      [`${FIRST_TOKEN},le="10"}`]: '0+100x60',
      [`${FIRST_TOKEN},le="+Inf"}`]: '0+100x60',
    },
    fires: { labels: { gen_ai_request_model: 'm' } },
  },
  {
    alert: 'HeadgateSlowFirstToken',
    series: {
      [`${FIRST_TOKEN},le="7.5"}`]: '0+99x60',
      [`${FIRST_TOKEN},le="10"}`]: '0+100x60',
      [`${FIRST_TOKEN},le="+Inf"}`]: '0+100x60',
    },
    fires: null,
  },
  {
    alert: 'HeadgateSlowEventLoop',
    series: { 'nodejs_eventloop_delay_p99_seconds{pod="p"}': '0.5x60' },
    fires: { labels: { pod: 'p' } },
  },
  { alert: 'HeadgateSlowEventLoop', series: { 'nodejs_eventloop_delay_p99_seconds{pod="p"}': '0.02x60' }, fires: null },
  {
    // No embedder has ever ended a call: there is no such series.
    alert: 'HeadgateQueueStands',
    series: { 'headgate_queue_jobs{gateway_provider="a",headgate_queue_job_state="waiting"}': '9x60' },
    fires: {},
  },
  {
    alert: 'HeadgateQueueStands',
    series: {
      'headgate_queue_jobs{gateway_provider="a",headgate_queue_job_state="waiting"}': '9x60',
      'headgate_queue_job_duration_seconds_count{gateway_provider="a",gateway_outcome="success"}': '0+3x60',
    },
    fires: null,
  },
  { alert: 'HeadgateNoEmbedder', series: { headgate_embedders_live: '0x60' }, fires: {} },
  { alert: 'HeadgateNoEmbedder', series: { headgate_embedders_live: '2x60' }, fires: null },
  {
    alert: 'HeadgateQueueTakenOver',
    series: { headgate_queue_taken_over_total: '0+1x60', headgate_embedders_live: '1x60' },
    fires: {},
  },
  {
    // That nobody lives is another alert's.
    alert: 'HeadgateQueueTakenOver',
    series: { headgate_queue_taken_over_total: '0+1x60', headgate_embedders_live: '0x60' },
    fires: null,
  },
];
