export type {
  Admission,
  AdmitOptions,
  Demand,
  Gauge,
  Limiter,
  LimitStatus,
  Refusal,
  Subject,
  SubjectKind,
} from './contract.ts';
export { LearnedOutput } from './learned-output.ts';
export { type LimiterCounters, type LimiterOptions, RedisLimiter } from './limiter.ts';
export { isRefusal } from './refusal.ts';
export { nanoCost, nanoDollars, windowAt } from './units.ts';
