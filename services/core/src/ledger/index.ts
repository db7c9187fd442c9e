export { costUsd, fromDecimal, toDecimal } from './cost.ts';
export { isGenerationId } from './generation-id.ts';
export {
  GROUPINGS,
  type Grouping,
  LONGEST_HOURLY_DAYS,
  LONGEST_REPORT_DAYS,
  type ReportQuery,
  type ReportRow,
  Reports,
} from './reports.ts';
export { type Retention, RollUp } from './roll-up.ts';
export { StreamReader } from './stream-reader.ts';
export { NO_SUMS, type Sums, usd } from './sums.ts';
export type { UsageEntry } from './usage-encoding.ts';
export { type UsageLog, UsageWriter } from './usage-writer.ts';
