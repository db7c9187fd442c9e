export { costUsd, fromDecimal, toDecimal } from './cost.ts';
