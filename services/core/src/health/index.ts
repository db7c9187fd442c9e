export { HealthBoard } from './board.ts';
export type {
  EndpointDescription,
  EndpointStatistics,
  HealthBoardOptions,
  HealthLog,
  OpenEndpoint,
  ProbeOutcome,
  ProbePermit,
  Quantiles,
  Uptime,
} from './board-contract.ts';
export type { AttemptOutcome, HealthReporter } from './contract.ts';
