export type { AttemptOutcome, HealthReporter } from './contract.ts';
